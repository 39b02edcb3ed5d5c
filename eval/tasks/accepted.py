"""From the accepted answers of an exported dataset, which are texts, back to what the matching rules work with."""

from collections.abc import Iterable

from schemas.matching.amounts import amounts_in, family
from schemas.matching.dates import dates_in
from schemas.matching.match import normalise
from schemas.records.build_rows import AcceptedAnswer

LENGTH_TOLERANCE_CM, MONEY_TOLERANCE = 2.0, 0.05
"""As the build accepts them: lengths to two centimetres, amounts of money to a twentieth."""
DATED, NUMBERED = ("date", "month", "year"), ("count", "length", "money")
"""Answer types whose answers are dates and numbers."""


def accepted_answers(texts: Iterable[str], answer_type: str) -> tuple[AcceptedAnswer, ...]:
    """The accepted forms of one fact, each once. `answer_type` "" (published data has none) goes by the text itself."""
    forms = {(form.kind, normalise(form.text)): form for form in (_read(text, answer_type) for text in texts)}
    return tuple(forms.values())


def _read(text: str, answer_type: str) -> AcceptedAnswer:
    dates = dates_in(text) if answer_type in ("", *DATED) else []
    if len(dates) == 1 and not dates[0].loose and (dates[0].start, dates[0].end) == (0, len(text.rstrip())):
        return AcceptedAnswer(kind="date", text=text, year=dates[0].year, month=dates[0].month, day=dates[0].day)
    amounts = amounts_in(text) if answer_type in ("", *NUMBERED) and text.strip()[:1] in "0123456789$€£₽¥₹" else []
    if len(amounts) == 1 and (answer_type or amounts[0].unit or text.strip().isdigit()):
        unit, number = amounts[0].unit, amounts[0].number
        tolerance = MONEY_TOLERANCE * abs(number) if family(unit) == "money" else 0.0
        if unit == "centimetre":
            tolerance = LENGTH_TOLERANCE_CM
        return AcceptedAnswer(kind="number", text=text, number=number, unit=unit, tolerance=tolerance)
    return AcceptedAnswer(kind="text", text=text)
