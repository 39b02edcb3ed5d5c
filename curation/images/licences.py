"""Which licences of Commons files let a picture into the dataset, and the credit line that they ask for."""

import re

from schemas.records.build_rows import Licence
from schemas.records.drop_reasons import Refusal

_FREE = re.compile(
    r"""
    cc\s?0 | cc\s?zero | creative\ commons\ (cc)?0 | creativecommons\.org/publicdomain
    | pd | public\ domain | no\ (known\ (copyright\ )?)?restrictions
    | cc\s(by(\ssa)?|sa)                            # any version and jurisdiction
    | creative\ commons\ attribution
    | creativecommons\.org/licenses/(by|by-sa|sa)/
    | gfdl | gnu\ free\ documentation
    | fal | free\ art\ licen[cs]e | licence\ art\ libre
    | ogl | uk\ ogl | open\ government\ licen[cs]e | godl | government\ open\ data
    | dl\ de/(by|zero) | datenlizenz\ deutschland
    | kogl\ type\ 1 | kogl\ 1
    | attribution | copyrighted\ free\ use
    """,
    re.VERBOSE,
)
_NOT_FREE = re.compile(
    r"""
    \bnc\b | non\s?commercial | \bnd\b | no\s?deriv
    | non\s?free | fair\s?(use|dealing) | all\ rights\ reserved
    """,
    re.VERBOSE,
)
_HARMLESS_RESTRICTIONS = frozenset({"personality"})
"""Rights of the person shown do not bind the copyright licence; the flag stays in the `restrictions` column."""


def _words(text: str) -> str:
    """Lower case with single spaces, hyphens and underscores as spaces; URLs are left as they are."""
    lowered = text.strip().casefold()
    return lowered if "://" in lowered else re.sub(r"[\s_\-–]+", " ", lowered)


def licence_problem(licence: Licence) -> Refusal | None:
    """None if the licence is free (CC0, public domain, CC BY, CC BY-SA, GFDL, FAL, government licences), else why not.

    Refused are non-free, NC, ND and fair-use files, files with a restriction other than personality rights, and every
    licence that the list does not know.
    """
    stated = [text for text in (licence.code, licence.short_name, licence.usage_terms, licence.url) if text.strip()]
    name = (licence.short_name or licence.code or licence.usage_terms or licence.url).strip()
    if licence.non_free:
        return Refusal("licence_not_free", f"{name or 'no licence named'}: flagged as non-free")
    if not stated:
        return Refusal("licence_missing", "no licence is stated")
    forms = [_words(text) for text in stated]
    if any(_NOT_FREE.search(form) or _not_free_url(form) for form in forms):
        return Refusal("licence_not_free", name)
    if not any(_is_free(form) for form in forms):
        return Refusal("licence_not_free", f"{name}: not on the list of free licences")
    restrictions = {part.strip().casefold() for part in re.split(r"[|,;]", licence.restrictions) if part.strip()}
    binding = sorted(restrictions - _HARMLESS_RESTRICTIONS)
    if binding:
        return Refusal("licence_not_free", f"{name}: restricted ({', '.join(binding)})")
    return None


def _is_free(form: str) -> bool:
    """Whether a stated form is a free licence: the pattern must match at its start and end at a word's end."""
    if "://" in form:
        form = form.split("://", 1)[1].removeprefix("www.")
    found = _FREE.match(form)
    return found is not None and (form[found.end() - 1] == "/" or not form[found.end() : found.end() + 1].isalpha())


def _not_free_url(form: str) -> bool:
    return re.search(r"creativecommons\.org/licenses/[a-z-]*\b(nc|nd)\b", form) is not None
