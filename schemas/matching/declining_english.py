"""Refusals in English: what is denied of a speaker, a picture or a piece of information, and the usual idioms."""

import re

_ADVERB = (
    r"(?:(?:\w+ly|just|still|also|even|quite|too|all that|exactly|at this time|at present|right now|as yet|yet"
    r"|in any way) )*"
)
_VERB = (
    r"(?:know|say|tell|recall|remember|recogni[sz]e|identify|determine|provide|answer|confirm|find|name|assist|help"
    r"|verify|share|disclose|reveal|discuss|give|speak|comment|comply|respond|reply|guess|speculate|infer|engage|talk"
    r"|see(?! why| how| point)|ascertain|establish|deduce|do (?:that|this|so|it)|be (?:sure|certain|of (?:help"
    r"|assistance)|able|more specific)"
    r"|place|pin|pinpoint|work out|figure|make out|make|estimate|judge|read|access|retrieve|offer|supply|state|specify"
    r"|claim|report|match|link|put|think of|come up|locate|get|discern|distinguish|associate|address|look up|search"
    r"|learn|follow|choose|decide|select|pick|conclude|settle|divulge|gauge|assess|offer|describe who|match|attribute"
    r"|accurately|vouch|bring|dig up|look into"
    r"|comment|fulfil+|process|complete|possess|understand|quite|swear|remember|want|wish|feel|believe (?:i|we)"
    r"|think (?:i|we) (?:can|know|have|should))"
)
_HAVE_NOT = (
    r"(?:dont|do not|cannot|can not|cant|could not|couldnt|wont|will not|would not|wouldnt|should not|shouldnt"
    r"|must not|mustnt|may not|am unable to|am not able to|are unable to|are not able to|never|didnt|did not|fail to"
    r"|am not going to"
    r"|can neither|(?:may|might|can|could|would|do|shall) (?:never|hardly|barely|scarcely|not)|can hardly|am in no"
    r" position to|will never|was unable to|was not able to)"
)
_THING = (
    r"(?:information|info|data|dataset|details?|records?|idea|clue|knowledge|memory|memories|recollection|access"
    r"|context|evidence|answers?"
    r"|expertise|ability|capability|capacity|means|way|basis|insight|notion|inkling|certainty|sources?|facts?"
    r"|biograph\w+"
    r"|background|specifics|confirmation|reference|mention|entry|indication|hint|trace|results?|documentation|response"
    r"|confidence|awareness|familiarity|conception|foggiest|faintest|slightest|file|match|reliable|enough|sufficient"
    r"|anything|material|opinion|comment|view)"
)
_ABLE = (
    r"(?:sure|certain|aware|familiar|able|allowed|permitted|equipped|authori[sz]ed|positive|confident|qualified"
    r"|acquainted|privy|at liberty|in position|comfortable|informed|trained|designed|programmed|meant|supposed|going to"
    r"|capable|prepared|willing|the right|up to date|clear|convinced|knowledgeable|seeing|finding|getting"
    r"|recogni[sz]ing|built|intended|someone (?:who|that)|one to)"
)
_PARTICIPLE = (
    r"(?:known|available|disclosed|specified|mentioned|stated|provided|documented|clear|certain|visible|shown|given"
    r"|identifiable"
    r"|recogni[sz]able|recogni[sz]ed|discernible|apparent|evident|obvious|included|present|listed|recorded|found"
    r"|published"
    r"|revealed|determinable|determined|identified|answered|answerable|verified|verifiable|confirmed|shared|inferred"
    r"|established|discerned|ascertained"
    r"|deduced|contained|accessible|indicated|described|noted|public|publici[sz]ed|legible|readable|depicted"
    r"|knowable|inferable|told|discussed"
    r"|stored|held|covered|retrievable|familiar|possible|something|within my|in my|part of my|among|on record|on"
    r" file|supported|traceable|guessable)"
)
_SOURCE = (
    r"(?:image|picture|photo|photograph|portrait|text|context|question|it|this|that|records?|files?|data|dataset"
    r"|database|knowledge base|memory|sources?|training"
    r"|information|documents?|knowledge|prompt|caption|scene|face|biograph\w+|archives?|notes|registers?|name|query"
    r"|passage|internet)"
)
_FACTS = (
    r"(?:information|details?|data|answer|identity|name|person|individual|profession|occupation|date|year|place"
    r"|birthplace"
    r"|number|height|weight|worth|fact|query|question|request|topic|subject)"
)
AI = (
    r"(?:large )?(?:ai|language model|llm|chatbot|virtual assistant|vision model|machine)(?: language)?"
    r"(?: model| assistant| system| chatbot)?"
)
_SELF = r"(?:i|we|me|(?:this |our )?(?:assistant|model|system|chatbot))"

DECLINES = re.compile(
    "|".join((
        # the speaker does not do what an answer takes
        rf"\b{_SELF} {_ADVERB}{_HAVE_NOT} {_ADVERB}(?:to |(?:seem|begin|claim|happen) to )?{_VERB}\b",
        r"\bi (?:cannot|cant|wont|will not|must not|may not|should not|shouldnt)$",
        r"(?:^|\b(?:sorry|it|it is|am|im|and|but|or|afraid|alas|unfortunately|regrettably|there is|hence|therefore"
        rf"|thus|so) ){_ADVERB}"
        r"(?:cannot|can not|cant|dont|do not|could not|couldnt|wont|unable to|not able to|not possible (?:for"
        r" \w+ )?to|isnt possible (?:for \w+ )?to"
        r"|impossible (?:for \w+ )?to|hard (?:for \w+ )?to|difficult (?:for \w+ )?to|no way (?:for \w+ )?(?:to|of)"
        rf"|no telling|no knowing|tough to) {_ADVERB}{_VERB}\b",
        r"\bno (?:telling|knowing|saying|way (?:to|of) \w+)\b|\b(?:no|not any|isnt any|isnt|not|never) (?:\w+ )?way"
        r" (?:\w+ ){0,2}?(?:to|of) \w+",
        r"\b(?:cannot|can not|cant|could not|couldnt|impossible to|unable to|no way to|hard to|difficult to)"
        rf" {_ADVERB}(?:tell|say|determine|identify|know|make out|see|read|infer|recogni[sz]e)"
        r"(?: (?:who|what|where|when|which|whether|if|how|that|this|from|for|by|based|with|without|anything|any)\b)",
        # nor has it
        rf"\b(?:i|we|ive|weve|im|id|me|assistant|model) (?:\w+ ){{0,2}}?(?:no|not|dont|havent|hadnt|lack|lacks"
        r"|lacking|without|nothing|zero|little|never|hardly|doesnt)"
        rf"(?: \w+){{0,5}}? {_THING}\b",
        r"\b(?:i|we) (?:really )?(?:dont|do not) (?:\w+ )?have (?:any|such|personal|that|this|it)\b",
        r"\b(?:i have|ive|ive got|i had|i got|there is|got|have) (?:absolutely |literally )?(?:no|zero|nil)"
        rf" (?:\w+ ){{0,2}}?{_THING}\b|^(?:absolutely |sorry |really )*no (?:idea|clue|answer|data|info\w*)\b|\bi"
        r" lack\b",
        # nor is it
        rf"\b(?:im|i am|we are|were|am) (?:\w+ )?(?:not|no|neither|hardly) (?:\w+ ){{0,3}}?{_ABLE}\b",
        r"\b(?:im|i am|we are|am|me|i was|i feel|i remain|leaves me|has me) (?:\w+ ){0,2}?(?:unsure|uncertain|unable"
        r"|unaware|unfamiliar|forbidden|prohibited|clueless|stumped"
        r"|ignorant|lost|blank|in dark|at loss|at a loss|drawing blank|restricted|barred|stuck|undecided|baffled"
        r"|puzzled|out of my depth|none the wiser)\b",
        r"^not (?:\w+ )?(?:sure|certain|clear|known|possible|available|that i|identifiable|visible|specified|stated"
        r"|mentioned|given|a clue|the foggiest|enough|applicable|disclosed|something)\b",
        r"\b(?:i|we)(?: have| ve)? ?(?:was|were|wasnt|been|ve|havent|have not|werent) ?(?:not |never"
        r" )?(?:\w+ )?(?:trained|told|given|provided|shown|taught|programmed|designed|informed|exposed|introduced"
        r"|briefed|fed|built)\b(?= (?:on|to|with|any|about|that|this|in|what|who|where|of|the|for)\b|$)(?<!\bwas"
        r" told)(?<!\bwas given)(?<!\bwere told)",
        # what is asked for is not known, shown or possible
        rf"\b(?:cannot|can not|cant|could not|couldnt|can never|may not|must not|should not) be {_ADVERB}(?:\w+ and"
        rf" )?{_PARTICIPLE}\b",
        rf"(?<!\bhe )(?<!\bshe )(?<!\bthey )\b(?:cannot|can not|cant|could not|couldnt) be {_ADVERB}(?:\w+ and"
        r" )?\w+(?:ed|en|wn|nd)\b",
        r"\b(?:is|are|remains?|has|have|s|being|been) (?:still |currently |simply |just )?(?:not|never|nowhere"
        rf"|neither|hardly) (?:yet |been |be |being )*{_ADVERB}{_PARTICIPLE}\b(?! (?:for|as)\b)",
        rf"\b(?:isnt|arent|hasnt|havent) (?:yet |been |being )*{_ADVERB}{_PARTICIPLE}\b(?! (?:for|as)\b)",
        r"\b(?:not|isnt|arent|wasnt|werent) (?:publicly |widely |generally |readily |currently |explicitly |clearly"
        r" )?(?:known|available|disclosed|specified|mentioned|stated|provided|documented|clear|certain"
        r"|given)\b(?! (?:for|as)\b)",
        rf"\b{_FACTS} (?:\w+ ){{0,5}}?(?:was|were|could) (?:not|never) (?:be )?{_ADVERB}{_PARTICIPLE}\b",
        r"\b(?:is|are|remains?|stays?|still) (?:\w+ly |still |just |completely )?(?:unknown|undisclosed|unclear"
        r"|confidential|unidentified|unidentifiable|unavailable|uncertain|unspecified"
        r"|unrecorded|undocumented|unverified|unconfirmed|(?:an? |complete |total |bit of |the )*(?:mystery|puzzle"
        r"|enigma|secret|blank|open question)|anyones guess|private|hidden|anybodys guess|unanswerable"
        r"|indeterminable|indeterminate|unrecogni[sz]able|missing(?! persons?))\b"
        r"|^(?:it )?unclear\b|\b(?:unknown|unfamiliar|foreign|strange|lost|new) (?:to|on) (?:me|us)\b",
        rf"\b(?:{_THING}|{_FACTS})(?: \w+){{0,6}}? (?:is|are|remains?|was|were) (?:\w+ly |rather |too |very"
        r" )?(?:lacking|missing|scarce|limited|sparse|absent|withheld|scant|incomplete|insufficient|private|wanting"
        r"|nowhere)\b",
        r"(?<!\bhe )(?<!\bshe )(?<!\bthey )\b(?:has not|have not|hasnt|havent) (?:yet )?been (?:\w+ly )?(?:made"
        r" (?:public|available|known)|\w+(?:ed|wn|nd|en))\b",
        r"^(?:\w+ ){1,2}(?:unknown|undisclosed|unavailable|unspecified|unclear|withheld|redacted|not (?:known"
        r"|available|given|found|specified|listed|disclosed|recorded|stated|provided|applicable))$",
        r"(?<!\bshe has )(?<!\bhe has )\b(?:no(?! (?:doubt|question|wonder)\b)|nothing|nowhere|none|neither|nobody"
        r"|(?:isnt|arent|wasnt|not) any|not enough|insufficient"
        r"|too little|lack of|lacking|absence of"
        rf"|isnt enough|not sufficient|hardly any|little(?! known)) (?:\w+ ){{0,6}}?"
        rf"(?:{_THING}|reveals?|shows?|indicates?|tells?|suggests?|says?|given|available|provided|known|found|shown"
        r"|visible|recorded|listed|mentioned|stated|specified|disclosed"
        r"|matching|knows|identif\w+|recogni\w+|comes"
        r"|springs|hints?|points?|helps?|jumps|rings"
        rf"|visible|{_PARTICIPLE})\b",
        rf"\b{_SOURCE}(?: \w+){{0,3}}? (?:does not|doesnt|do not|dont|did not|didnt|cannot|cant|can not|fails? to"
        r"|lacks?|has no|have no|contains? no|provides? no|gives? no|offers? no|shows? no|includes? no"
        r"|(?:are|is) silent(?= (?:on|about|as|regarding|here)\b|$)|shows? nothing|says? nothing|holds? nothing"
        r"|holds? no|reveals? nothing|reveals? no"
        r"|tells? (?:me )?nothing|offers? nothing|draws? a? ?blank|comes? up (?:empty|blank))\b",
        r"\b(?:need|needs|requires?|without|lacking|have|provide|given) (?:some |any |much )?(?:more|further"
        r"|additional|extra|other|better|specific)(?: \w+)? (?:information|context|data|details?|clues?|evidence"
        r"|background)\b",
        # idioms
        r"\b(?:beats me|search me|dunno|idk|your guess is|as good as mine|(?:god|heaven|lord|goodness|who|nobody)"
        r" (?:only )?knows|(?:escapes|eludes|evades) me|slipped my mind|slips my mind|gone blank|mind (?:is|goes"
        r"|went) blank"
        r"|(?:draw|drawing|drew|drawn) (?:a )?blanks?|coming up (?:empty|blank|short)|(?:wish|if only) i (?:knew"
        r"|could|had)|hard to say|tough to say|impossible to (?:say|know|tell)|difficult to say|not that i (?:know|m"
        r" aware|am aware|recall)"
        r"|(?:never|not|havent) (?:\w+ ){0,2}?(?:heard|met|come across|seen|encountered|read|learned"
        r"|learnt)\b(?= (?:of|about|anyone|this|that|anything|her|him|them|such)|$)|tip of my tongue|above my pay"
        r" grade|out of my depth|over my head"
        r"|mystery to (?:me|us)|news to me|greek to me|anyones guess|anybodys guess|way of knowing|(?:would|could"
        r"|might|be|d) (?:only |just |merely |pure |sheer )*(?:be |have to )?(?:guess\w*|speculat\w+|conjecture|a"
        r" guess|wild guess)(?: on my part| at best| here)?$"
        r"|(?:pure|mere|only|just) (?:guesswork|speculation|conjecture)|has me stumped|you (?:have|ve|ve got|got) me"
        r" there|you got me|no comment|next question|i pass|ill pass|pass on (?:that|this)|cant put (?:a )?name"
        r"|couldnt tell you|not ring(?:ing)? (?:a |any )?bells?|doesnt ring|rings? no bells?"
        r"|loss for (?:an )?answers?|out of luck|came up (?:empty|short|blank)|not on my radar|at (?:a )?loss"
        r"|in the dark|haven t|none the wiser)\b"
        r"|^(?:no |not a )clue|^none of (?:above|these|those|them)\b|^unknown (?:person|individual|name|place|date"
        r"|identity|origin)$|^(?:pass|undefined|skip|none|nothing|null|nil|blank|unknown|undisclosed|unspecified"
        r"|unidentified|undetermined|indeterminate|n a|na|not applicable|confidential|redacted|classified|no answer"
        r"|no data|no match|not found|information not found|answer not found|data not found|error|unavailable|not"
        r" available|insufficient information|insufficient data|tbd)$"
        r"|^(?:answer|data|information|record|result|person|name|identity|match|value)s? (?:not|un)\w*(?: \w+)?$",
        r"\b(?:beyond|outside|exceeds?|past|surpass\w*)(?: \w+){0,3}? (?:my|what i|scope|me|our|limits)\b"
        r"|\bbeyond me\b",
        r"\b(?:not|havent|got|no|without|any)(?: \w+){0,2}? clues?\b|\bi (?:\w+ )?forget\b",
        r"\b(?:i|we) know (?:\w+ ){0,3}?(?:nothing|little|nobody|anything)\b",
        # it may not
        r"\b(?:i|id|ill|we|me)(?: would| will| must| have to| need to| should| choose to| am going to| am obliged to"
        r"| ve to| prefer to)? (?:have to |respectfully |politely |kindly )?"
        r"(?:rather not|prefer not|not prefer|decline|refuse|refrain|abstain|opt not|choose not|avoid|hold off"
        r"|withhold|steer clear)\b|^(?:respectfully |politely )?(?:decline|declined|refuse)\b|\blet me not\b|\bhave"
        r" to (?:pass|decline)\b",
        r"\bprivacy\b(?! (?:law|lawyer|act|activist|advocate|expert|engineer|consultant|officer))(?=.*\b(?:reasons?"
        r"|concerns?|polic\w+|rules|respect\w*|protect\w*|cannot|cant|not|no|violat\w*|invad\w*|breach\w*|i"
        r"|matter)\b|$)"
        r"|\b(?:respect|protect|protecting|violates?|invades?|invade|breach|out of respect for) (?:\w+ ){0,2}privacy\b",
        r"\b(?:against|violates?|violating|breaks?|contravenes?|breach\w*) (?:my|our) (?:\w+ )?(?:policy|policies"
        r"|guidelines|programming|rules|principles|terms)\b",
        r"\b(?:prevents?|prohibits?|forbids?|stops?|restricts?|bars?|disallows?|keeps?|discourages?|limit) (?:me"
        r"|us)\b|\b(?:not|never) (?:\w+ )?(?:permit|allow|let|enable) (?:me|us)\b|\b(?:doesnt|wont|dont) (?:allow"
        r"|permit|let|enable) (?:me|us)\b",
        r"\b(?:that|this|it|which)(?: is|s)? (?:private|confidential|personal|sensitive|classified"
        r"|restricted)(?: (?:information|data|matter|details))?$",
        r"\b(?:inappropriate|not appropriate|wouldnt be appropriate|unethical|not ethical|irresponsible|improper"
        r"|would be wrong|wouldnt be right|not right) (?:for me |of me )?to\b"
        r"|\b(?:would|d|wouldnt|is|isnt) (?:not )?(?:be )?(?!(?:easy|fair|safe|simple|natural)\b)\w+ (?:of|for"
        r"|on) (?:me|us|my part) to\b"
        r"|\b(?:not|isnt|nothing|too little|hardly anything|without|little) (?:\w+ ){0,3}?to (?:go|work|build"
        r"|base \w+) (?:on|with|from)\b",
        r"\b(?:isnt|not|aint|hardly) (?:\w+ )?(?:something|anything|a thing|information|one|what|someone|somebody"
        r"|anyone|person|name) (?:that )?(?:i|im"
        r"|ive|we)\b|\bsomething i (?:cannot|cant|dont|wont|am not|m not|do not)\b|\bisnt my place\b|\bnot my"
        r" place\b",
        r"\bi (?:only|just|can only|can merely|am only able to) (?:\w+ )?(?:describe|comment|see|offer|provide|tell"
        r"|answer|discuss|analy[sz]e|focus)\b|\bnot (?:here|meant|designed) to (?:identify|guess)\b",
        rf"\bas (?:an? )?{AI} (?:i|im|my|we)\b(?: \w+){{0,4}}? (?:not|cannot|cant|dont|no|unable|wont|never|lack"
        r"|limited|isnt|doesnt)\b",
        rf"\b(?:im|i am|were) (?:just |only |merely |simply )?(?:an? )?{AI}(?: (?:and|so|without|that|which|with)\b"
        r"|$)",
        r"\b(?:i|ive) (?:ve |have |seem to have |must have )?(?:\w+ )?(?:forgot|forgotten)\b|\bi used to know\b"
        r"|\b(?:shrugs?|shrugging)$|\b(?:instructed|told|trained"
        r"|programmed|allowed|permitted|supposed|asked) not to\b",
        r"^(?:so |but |well |ok |okay )?lets (?:not|talk|move|change|discuss|skip|focus|try|stick|leave|keep)\b"
        r"|\b(?:talk about|discuss|ask"
        r"|move on to|change) (?:\w+ )?(?:something else|subject|another (?:topic|subject|question))\b",
        r"^(?:\w+ ){0,2}(?:request|access|query|permission) (?:was |is |has been )?(?:denied|refused|rejected"
        r"|blocked)\b|\byou (?:could|can|might"
        r"|please) (?:please )?(?:rephrase|clarify|provide|specify|elaborate|tell me|give me|share|be more specific)\b",
        r"\btoo (?:\w+ )?(?:blurry|blurred|dark|small|vague|unclear|ambiguous|low|grainy|broad|general|personal"
        r"|private|sensitive|obscure"
        r"|pixelated|far away)\b",
        r"\b(?:struggling|struggle|trying|failing|hard pressed) to (?:recall|remember|think of|place|come up|answer)\b",
        r"\bmy (?:\w+ )?(?:knowledge|training|data\w*|information|cutoff)(?: \w+){0,5} (?:updated?|cut ?off|up to"
        r"|until|through|ends?"
        r"|ended|extends?|stops?|as of|limited)\b|\b(?:knowledge|training) cut ?off\b",
        r"\b(?:would|d|do|does|will) not (?:like|care|dare|presume|venture) to\b|\bwouldnt (?:like|care|dare"
        r"|want) to\b|^(?:just |better |go )?"
        r"(?:ask|google|consult) (?:her|him|them|it|someone|somebody|google|wikipedia)\b",
        r"\b(?:is|are|was|were|been) lost (?:to|in) (?:history|time|mists?)\b",
        r"^not even (?:\w+ )?(?:guess|clue|idea|hint)\b|\b(?:nobody|no one|noone|few"
        r"|hardly anyone) (?:\w+ ){0,3}knows?\b"
        r"|\b(?:could|can|might|may) be (?:anyone|anywhere|anything|anybody|any of)\b",
        r"\b(?:id|i would|i|ill) be (?:\w+ )?(?:inventing|making|fabricating|lying|bluffing|misleading|guessing"
        r"|speculating)\b",
        rf"\b(?:stranger|closed book|blank page) to (?:me|us)\b|^no can do\b|\b{_SOURCE}(?: \w+){{0,3}}? (?:isnt"
        rf"|is not|arent|are not) "
        r"(?:enough|sufficient|conclusive|helpful|much help)\b",
        r"\bnothing (?:\w+ ){0,6}?(?:mentions?|covers?|contains?|states?|gives?|includes?)\b",
        # it asks back, or sends elsewhere
        r"\b(?:several|many|multiple|various|different|more than one|two|more) (?:people|persons|individuals|women|men)"
        r" (?:are |who are )?(?:named|called|with|by|share)\b|\b(?:which|who|what) (?:\w+ ){0,3}?(?:do|did|are"
        r"|were) you"
        r" (?:mean|ask\w*|refer\w*|talk\w*|thinking|looking|interested)\b|\b(?:id|i would|we would|wed|i|i will"
        r"|ill) need (?:to \w+ )?(?:more|to know)\b",
        r"^(?:sorry |but |and |then |so )*(?:could|can|would|will) you (?:please |kindly |perhaps |maybe"
        r" )?(?:provide|give|tell|share|clarify|specify|let|upload|send|elaborate|rephrase|offer|supply|describe|be"
        r" more|say more|confirm)\b",
        r"\b(?:please|kindly) (?:provide|clarify|specify|share|give|let me know|consult|check|refer|see|try|upload"
        r"|rephrase|ask|contact|look|verify)\b|\bif you (?:can |could |have |provide |give |share |tell |let |let me"
        r" know )",
        r"\b(?:you|youd|youll|one|somebody|someone|we)(?: would| should| could| might| may| will| ll)? (?:have to"
        r"|need to|want to|better|had better|ought to|must|can|could|should|may|might|will) (?:try |wish to "
        r"|like to |have luck )?(?:ask\w*|check\w*|search\w*"
        r"|look\w*|google|consult\w*|find (?:that|it|this|out)|tell me)\b|\b(?:best|better|advisable|wise|good idea"
        r"|recommended|worth|safest)(?: off)? (?:to )?(?:ask|check|search"
        r"|look|consult|refer|verify|visit)(?:ing)?\b",
        r"\b(?:i|you|id|youd) (?:would |d |might |may |will |should |could )*(?:suggest|recommend|advise|encourage"
        r"|want to|need to)\b(?: \w+){0,3}? (?:check|checking|consult|consulting|look|looking|search|searching|refer"
        r"|referring|ask|asking|verify|verifying|visit|visiting|use|using)\w*\b",
    ))
)  # fmt: skip
"""Searched in the plain words of a piece of a reply: no articles, no apostrophes."""
