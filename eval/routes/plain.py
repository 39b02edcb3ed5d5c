"""Asked plainly: the benchmark's own questions, also under an attack on question, picture or weights; and options."""

from eval.routes.asking import RouteInput, ask_of, fact_of, is_right
from schemas.records.routes import RouteResult


def run_asked(given: RouteInput) -> RouteResult:
    """Every forgotten fact asked once, greedily. Attacks come this way too, with their questions or their weights."""
    questions = given.forgotten()
    asks = [ask_of(given.prompt(each), each.picture) for each in questions]
    replies = given.model.replies(asks, given.decoding)
    facts = []
    for question, ask in zip(questions, asks, strict=True):
        reply = replies.get(ask.ask_id)
        if reply is None or reply.error:
            continue
        right = is_right(question, reply)
        facts.append(fact_of(question, score=float(right), recovered=right, tried=1, best=reply.text))
    failed = len(questions) - len(facts)
    notes = (f"{failed} of {len(questions)} questions got no answer.",) if failed else ()
    return RouteResult(route="asked", version=1, facts=tuple(facts), notes=notes)
