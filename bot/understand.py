"""What a message asks for: small talk or a question, of which type, and whether it goes on from before.

Takes a message and the context of the conversation, gives a :class:`Query`. Knows the forms of
English questions and nothing of any guide; what a question is about is found by ``retrieve``.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from bot.lexical import content_words, words

__all__ = ["Context", "Query", "QuestionType", "SmallTalk", "find_small_talk", "question_type", "understand"]

SHORT_CONTENT_WORDS = 3  # "and for the neck?": so few content words seldom make a topic of their own
# Words of a question that still name no topic: "how long do I hold it", "how many per leg".
GENERIC_WORDS = frozenset(
    """hold keep last stay repeat time times second seconds sec secs minute minutes min mins hour hours day days week weeks
    month months rep reps set sets side sides often long once twice total exactly happen happens work works help helps
    good bad ok safe right wrong necessary again detail explain long longer enough daily per next""".split()
)
INTERROGATIVE_WORDS = frozenset("long often times time exactly again detail explain".split())
SMALL_TALK_WORDS = 9  # a longer message has something to ask


class QuestionType(StrEnum):
    """The form of a question, which decides the shape of its answer."""

    STEPS = "steps"
    LIST = "list"
    FIGURE = "figure"
    WHY = "why"
    DEFINITION = "definition"
    YES_NO = "yes-no"
    OPEN = "open"


class SmallTalk(StrEnum):
    """What is said beside the topic of the guide."""

    GREETING = "greeting"
    FEELING = "feeling"
    THANKS = "thanks"
    GOODBYE = "goodbye"
    ABILITY = "ability"
    IDENTITY = "identity"
    AUTHOR = "author"
    PRIVACY = "privacy"
    AGREEMENT = "agreement"
    COMPLAINT = "complaint"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class Context:
    """What a conversation has come to.

    :param query: The last question, standalone.
    :param type: Its type.
    :param focus: Ids of the passages that its answer came from, best first.
    :param listed: Ids of the entries of the list shown last, in order.
    """

    query: str = ""
    type: QuestionType = QuestionType.OPEN
    focus: tuple[str, ...] = ()
    listed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Query:
    """A message made ready for retrieval.

    :param text: The message without greeting and small words of connection.
    :param is_follow_up: It goes on from the topic before.
    :param is_connected: It begins like a continuation ("and ...", "what about ...").
    :param is_correction: It rejects the answer before ("no, I meant ...").
    :param is_bare: It holds no topic of its own ("how long?", "why?").
    :param position: Which entry of the list shown last is meant (1-based, -1 the last), 0 for none.
    """

    text: str
    type: QuestionType
    is_follow_up: bool = False
    is_connected: bool = False
    is_correction: bool = False
    is_bare: bool = False
    position: int = 0


# --- small talk ------------------------------------------------------------------------------------

# Courtesies may follow one another ("ok great, thanks, bye"); the first kind of this order names the message.
_COURTESIES: tuple[tuple[SmallTalk, str], ...] = (
    (SmallTalk.GOODBYE, r"bye+|goodbye|good bye|see (?:you|ya)(?: later| soon)?|cya|good ?night|take care|farewell|so long|ciao|bye for now"),
    (
        SmallTalk.THANKS,
        r"thanks?(?: you)?|thankyou|thx|ty|tnx|tks|cheers|ta|(?:much |i )?appreciated?(?: it| that)?|"
        r"(?:(?:that|this|it)(?: is| was|s) |youre |you are )(?:(?:very|really|so|most) )?(?:helpful|useful|kind|great|good|perfect|lovely|brilliant)",
    ),
    (SmallTalk.GREETING, r"hi+|hello+|hey+|hiya|howdy|greetings|yo|g ?day|good (?:morning|afternoon|evening|day)|morning|evening|there|everyone|bot|friend|doc|doctor|mate|dear|love|pal|team"),
    (
        SmallTalk.AGREEMENT,
        r"ok+|okay|o k|k+|yes|yeah|yep|no|nope|nah|sure|right|alright|fine|good|great|cool|nice|perfect|i see|got it|gotcha|understood|makes sense|"
        r"hm+|mm+|oh|ah|aha|lol|haha+|wow|interesting|excellent|brilliant|lovely|wonderful|super|will do|agreed|true|never ?mind|nothing|thats? (?:all|it)|"
        r"done|i will|sounds good|all good|clear|noted",
    ),
)
# What may stand among courtesies and says nothing by itself.
_FILLER = (
    r"for (?:the|all|your|that|this|all the|all your)(?: help| answers?| info| information| advice)?|for helping(?: me)?|"
    r"very much|so much|a lot|lots|a bunch|a million|again|you|then|now|today|well|very|for now"
)
# Each of these must cover the whole message.
_REMARKS: tuple[tuple[SmallTalk, str], ...] = (
    (SmallTalk.FEELING, r"(?:(?:hi|hello|hey) )?(?:how are you|how r u|how do you do|hows it going|how is it going|whats up|wassup|sup)(?: doing)?(?: today)?"),
    (SmallTalk.ABILITY, r"(?:so |ok |hi |hello )*(?:what (?:all )?can (?:you|u|this|it)(?: page| bot)? (?:do|answer|tell me|help(?: me)?(?: with)?)(?: for me)?|what (?:can|should|could|do) i ask(?: you)?(?: here)?|how (?:do|does|can|should) (?:i use )?(?:this|it|you)(?: page| chat| bot| thing)?(?: work)?|what (?:do|are) you (?:do|for|know)(?: about)?|what (?:is|are) (?:this|you)(?: page| bot| chat)? for|what (?:topics|questions|things|subjects) (?:can|do) you (?:cover|answer|know|know about)|help(?: me)?(?: please)?|please help(?: me)?|can you help(?: me)?|i need help|what (?:is|s) this|whats this)"),
    (SmallTalk.AUTHOR, r"(?:so )?(?:who|whos) (?:wrote|made|created|is|s|are)? ?(?:the author|behind|responsible for|written|wrote)? ?(?:of )?(?:this|the|that|it|your)? ?(?:guide|book|leaflet|text|page|document|information|advice|it|author)?(?: by)?"),
    (SmallTalk.AUTHOR, r"(?:where (?:does|do|did|is|are) (?:this|that|it|you|the|your|all this)(?: information| info| advice| answers?| text)? ?(?:come|get)? ?(?:from)?(?: your)?(?: information| info| answers?| from)*|what(?:s| is| are) (?:the|your) (?:sources?|references?)(?: of (?:this|that))?|which guide (?:is this|do you use|are you using)|what guide (?:is this|do you use)|says who|who says (?:so|that|this)|how do you know(?: that| this)?|is (?:this|that|it) from (?:the )?(?:a )?(?:guide|doctor|doctors))"),
    (SmallTalk.IDENTITY, r"(?:so )?(?:who (?:are|r) (?:you|u)|what (?:are|r) (?:you|u)|whats your name|what is your name|(?:are|r) (?:you|u) (?:a |an )?(?:real |actual )?(?:human|person|robot|bot|ai|machine|computer|doctor|nurse|physio|physiotherapist|therapist|chatgpt|chat gpt|real|gpt|llm|program)(?: or (?:a |an )?(?:real )?(?:human|person|robot|bot|ai|machine|computer|program))?|is (?:this|that|it) (?:a |an )?(?:real )?(?:human|person|robot|bot|ai|machine|computer|chatgpt|doctor)|am i (?:talking|speaking|chatting) (?:to|with) (?:a |an )?(?:real )?(?:human|person|robot|bot|ai|machine|computer|doctor))"),
    (SmallTalk.PRIVACY, r"(?:do you|does this|does this page|are you|is this|is it|is my chat|is this chat|are my messages|are my chats) (?:store|save|keep|record|share|collect|track|recording|saving|storing|private|anonymous|confidential|secure|saved|stored|recorded|log|remember|remembering)(?: my| this| what i| our| me)*(?: data| information| info| chat| chats| messages| conversation| type| say| write| everything)*"),
    (SmallTalk.COMPLAINT, r"(?:this|that|it|you|youre|your answer|the answer)(?: is| are| was|s)? ?(?:so |really |very |just |all |totally |completely )?(?:useless|rubbish|stupid|dumb|wrong|bad|terrible|awful|crap|shit|not helpful|no help|not what i asked|not what i meant|a joke|nonsense|idiot|an idiot|no good|unhelpful)"),
    (SmallTalk.COMPLAINT, r"(?:you (?:didnt|did not|dont|do not) (?:answer|understand|get|listen)(?: me| my question| it| that| to me)?|i (?:dont|do not|didnt) understand(?: you| that| this| it)?|fuck (?:you|off)|shut up|i hate you|what a joke|wtf|rubbish|useless)"),
)
_REMARK_PATTERNS = tuple((kind, re.compile(pattern)) for kind, pattern in _REMARKS)
_COURTESY = re.compile(
    "|".join(f"(?P<{kind.name}>(?:{pattern})(?= |$))" for kind, pattern in _COURTESIES) + f"|(?:{_FILLER})(?= |$)"
)



def find_small_talk(message: str) -> SmallTalk | None:
    """Tell what kind of small talk a message is, None where it asks something."""
    spoken = words(message)
    if not spoken:
        return SmallTalk.EMPTY
    if len(spoken) > SMALL_TALK_WORDS:
        return None
    text = " ".join(spoken)
    remark = next((kind for kind, pattern in _REMARK_PATTERNS if pattern.fullmatch(text)), None)
    return remark or _find_courtesy(text)


def _find_courtesy(text: str) -> SmallTalk | None:
    said: set[str] = set()
    at = 0
    while at < len(text):
        match = _COURTESY.match(text, at)
        if match is None:
            return None
        said.add(str(match.lastgroup))
        at = match.end() + 1
    return next((kind for kind, _ in _COURTESIES if kind.name in said), None)



# --- question types --------------------------------------------------------------------------------

_OPENING = re.compile(
    r"^(?:(?:hi|hello|hey|good (?:morning|afternoon|evening)|dear (?:bot|doctor|sir|madam)|please|excuse me|sorry|um+|erm?|well|so|"
    r"ok(?:ay)?|right|alright|oh|thanks|thank you|cheers|great|cool|got it|i see|yes|yeah|fine|perfect|lovely|quick question|question)"
    r"(?: there| again| then| very much| so much)?\b[\s,.!:;–-]+)+",  # noqa: RUF001
    re.IGNORECASE,
)
_FIGURE = re.compile(
    r"\bhow (?:long|often|many|much|far|high|low|fast|slow|frequent(?:ly)?|soon|big|large|old|hot|warm|cold|heavy|deep|wide|thick|close|late|early|hard)\b"
    r"|\b(?:what|which) (?:length|time|age|temperature|number|amount|duration|frequency|distance|height|weight|angle|dose|speed|percentage|size)\b"
    r"|\b(?:duration|frequency|number of (?:times|minutes|days|weeks|seconds|sets|reps|repetitions))\b"
    r"|\b(?:how|wat|what) (?:mny|meny|lng|oftn)\b|\btimes (?:a|per) (?:day|week)\b|\b(?:minutes|seconds|hours|days|times|weeks) (?:do|should|per|is|are|long)\b"
)
_STEPS = re.compile(
    r"\bhow (?:do|should|can|could|would|must|does|am|are|to|d) ?(?:i|you|u|we|one|someone|a person|my \w+)? ?(?:to |properly |correctly |actually |supposed to |best |safely |exactly )*"
    r"(?:do|perform|make|start|begin|get|set|carry|use|put|go|hold|position|practi[sc]e|stretch|lift|move|clean|apply|take|try|execute|sit|stand|lie|sleep|stay|keep|work|treat|help|stop|wash|cut|tie|fit|wear|prepare|exercise|breathe|come|bend|know|tell)?\b"
    r"|\b(?:show|teach|tell|explain|walk|talk|guide|take) (?:me|us)?(?: through)? ?how\b|\bhow (?:to|do)\b|\bsteps?\b|\binstructions?\b|\btechnique\b|\bhow does (?:it|that|this|the \w+(?: \w+)?) (?:go|work)\b"
    r"|\b(?:walk|talk|take) me through\b|\b(?:right|correct|proper|best) way to\b"
)
_LIST = re.compile(
    r"\b(?:list|name|give me|tell me|show me|what are|which are|what|which|all|examples? of|kinds? of|types? of|sorts? of|options? for|rundown|run down|overview)\b"
)
_LIST_STRONG = re.compile(
    r"\b(?:list|name (?:some|all|the|a few)|which (?:ones|are|of)|what (?:kinds?|types?|sorts?|options?|other|are (?:the|some|all))|examples of|kinds of|types of|sorts of|options|rundown|run down|overview|index of|all (?:the|of the)|every(?:thing)?)\b"
)
_WHY = re.compile(r"\bwhy\b|\bhow come\b|\bwhat(?:s| is) the (?:point|purpose|reason|benefit|use|idea|good)\b|\breasons?\b|\bbenefits? of\b|\bpurpose of\b|\bwhat for\b|\bwhat good\b")
_DEFINITION = re.compile(r"\bwhat (?:is|are|s|does|exactly is|do you mean)\b|\bwhats\b|\bdefin(?:e|ition)\b|\bmeaning of\b|\btell me (?:more )?about\b|\bdescribe\b|\bexplain\b")
_YES_NO = re.compile(r"^(?:and |but |so |or )?(?:is|are|am|was|were|can|could|do|does|did|should|shall|will|would|may|might|has|have|must|isnt|arent|cant|shouldnt|ok(?:ay)? (?:to|if)|safe to)\b")
# "what helps", "which exercises": the noun after what/which is in the plural
_WHAT_PLURAL = re.compile(r"\b(?:what|which) (?:\w+ ){0,2}?(?!is\b|does\b|was\b|has\b|this\b|happens\b|helps\b|causes\b|makes\b|means\b|always\b|stiffness\b|less\b)\w{3,}s\b(?! (?:is|does) )")


def question_type(text: str) -> QuestionType:
    """Tell the form of a question by its words."""
    plain = " ".join(words(text))
    if _FIGURE.search(plain):
        return QuestionType.FIGURE
    if _WHY.search(plain):
        return QuestionType.WHY
    if _LIST_STRONG.search(plain) or _WHAT_PLURAL.search(plain):
        return QuestionType.LIST
    if _STEPS.search(plain):
        return QuestionType.STEPS
    if _YES_NO.search(plain):
        return QuestionType.YES_NO
    if _DEFINITION.search(plain):
        return QuestionType.DEFINITION
    return QuestionType.OPEN


# --- follow-ups ------------------------------------------------------------------------------------

_SWITCH = re.compile(
    r"\b(?:something (?:else|different)|(?:an)?other (?:topic|subject|question|thing)|(?:different|new|separate) (?:topic|subject|question|thing)|"
    r"change (?:of )?(?:topic|subject)|changing (?:the )?(?:topic|subject)|unrelated|by the way|btw|moving on)\b"
)
_CORRECTION = re.compile(r"^(?:no+|nope|nah|not that one|not that|sorry|wait|actually|i mean|i meant|that(?:'?s| is) not what i)\b[\s,.:;-]*(?:no\b[\s,]*)?(?:not that(?: one)?\b[\s,]*)?(?:i (?:meant?|was asking|am asking|want(?:ed)?)\b|but\b|rather\b|the other\b|about\b|what i meant\b)?", re.IGNORECASE)
_CONNECTIVE = re.compile(r"^(?:and|also|but|or|then|so|plus|now)\b[\s,]*(?:what about|how about|what if|if)?|^(?:what|how) about\b|^what if\b|^same (?:for|with)\b|^(?:for|with|without|in|on|at|as) (?:the|a|my|it)\b", re.IGNORECASE)
_REFERENCE = re.compile(r"\b(?:it|its|that|those|these|them|they|this|ones?|there|afterwards|afterward|before that|after that|then|same|both|each|either|such|instead|too|as well)\b")
_ORDINALS = {
    "first": 1, "1st": 1, "second": 2, "2nd": 2, "third": 3, "3rd": 3, "fourth": 4, "4th": 4,
    "fifth": 5, "5th": 5, "sixth": 6, "6th": 6, "last": -1, "final": -1,
}  # fmt: skip
# "the second one", "more on the 2nd", "and the last?"; "first" and "last" alone may be adverbs.
_ORDINAL = "|".join(_ORDINALS)
_POSITION = re.compile(
    rf"\b(?:the|number|no|nr|now|and|about|on)\s+({_ORDINAL})(?:\s+(?:one|exercise|stretch|item|option|point|tip|move|step|thing|entry|of (?:them|those|these|it)|again|pls|please|in detail|then)\b|$)"
    rf"|\b({_ORDINAL}) (?:one|exercise|stretch|item|option|point|tip|move|entry)\b|\bnumber (one|two|three|four|five|six|[1-9])\b"
    rf"|^({_ORDINAL})$"
)
_NUMBER_WORDS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6}


def _position(plain: str) -> int:
    match = _POSITION.search(plain)
    if match is None:
        return 0
    number = match.group(3)
    if number:
        return _NUMBER_WORDS.get(number) or int(number)
    return _ORDINALS[match.group(1) or match.group(2) or match.group(4)]


def understand(message: str, context: Context) -> Query:
    """Make a query of a message that is not small talk.

    :param message: What the person wrote, spelling repaired.
    :param context: An empty one at the beginning of a conversation.
    """
    text = _OPENING.sub("", message.strip()) or message.strip()
    plain = " ".join(words(text))
    if _SWITCH.search(plain):
        rest = re.sub(r"^[^,:;.?!-]*?\b(?:else|different|topic|subject|question|thing|way|btw|on|unrelated)\b[\s,:;.!-]*", "", text, flags=re.IGNORECASE)
        text = rest or text
        return Query(text, question_type(text))
    kind = question_type(text)
    is_bare = not set(content_words(text)) - GENERIC_WORDS
    if not context.focus:
        return Query(text, kind, is_bare=not set(content_words(text)) - INTERROGATIVE_WORDS)
    correction = _CORRECTION.match(text)
    is_correction = correction is not None and bool(text[correction.end() :].strip())
    if is_correction and correction is not None:
        text = text[correction.end() :].strip(" ,.:;-")
        kind = question_type(text)
    position = _position(" ".join(words(text))) if context.listed else 0
    connected = _CONNECTIVE.search(text) is not None
    refers = _REFERENCE.search(plain) is not None
    is_short = len(content_words(text)) <= SHORT_CONTENT_WORDS
    is_follow_up = is_correction or connected or refers or is_short or position != 0
    if position and kind in (QuestionType.OPEN, QuestionType.DEFINITION, QuestionType.LIST):
        kind = QuestionType.STEPS  # an entry of a list, in full
    elif is_follow_up and kind is QuestionType.OPEN and context.type is not QuestionType.LIST:
        kind = context.type  # "and the other one?" asks of it what was asked before
    return Query(text, kind, is_follow_up, connected, is_correction, is_bare, position)
