"""Every reason for which something is left out, with the sentence that explains it. One list for all stages."""

from typing import NamedTuple

from schemas.errors import BadInput

REASONS: dict[str, str] = {
    # select
    "entity_missing": "The source has no such entity, or it was deleted.",
    "not_human": "The entity is not an instance of human (Q5).",
    "name_ambiguous": "Several people fit the name equally well; name the QID.",
    "name_not_found": "No person of that name was found.",
    "name_doubtful": "The only person of that name is little known or states no occupation; name the QID.",
    "left_to_maintainer": "The maintainer has decided to leave this one out (resolve.csv).",
    "not_as_selected": "The person's own statements are not what the selection asked for.",
    "duplicate_subject": "The entity is already a subject.",
    "no_label": "The entity has no English label.",
    "minor": "The person is living and may be under 18.",
    "relative_only": "The person is living and stated to be a public person's relative, or a victim, and nothing else.",
    "namesake": "A better known subject has the same name, and nothing stated tells the two apart.",
    "malformed_entity": "The source's answer for this entity could not be parsed.",
    # facts
    "no_facts": "No statement of this subject became a fact.",
    "property_unknown": "The property is not in the property table.",
    "property_excluded": "Policy: this property is never asked.",
    "property_gated": "Policy: gated class, and the recipe drops gated facts.",
    "gate_uncited": "A gated class needs a reference that names a source (P248 or P854).",
    "rank_deprecated": "The statement is deprecated at the source.",
    "rank_outranked": "Other statements of the property are preferred, and this one is no right answer beside them.",
    "value_unknown": "The value is unknown (somevalue).",
    "value_none": "The statement says there is no value (novalue).",
    "value_wrong_type": "The value is not of the property's type.",
    "value_unlabelled": "The value has no English label, so nobody can answer with it.",
    "value_missing": "The value's entity is missing at the source.",
    "value_ended": "The statement or its value has ended, and the property asks for the present.",
    "nature_doubtful": "A qualifier doubts the statement, or limits it to a part or role (qualifiers.toml).",
    "siblings_unread": "Too few of the property's values could be read, so right answers would be judged wrong.",
    "siblings_differ": "The value is stated again without this qualifier, or the next spell goes on where one ends.",
    "value_too_fine": "The place is a building, and no place that people would name is stated.",
    "date_impossible": "The date lies before the birth, after the death, in the future, or in early childhood.",
    "precision_too_low": "The date is less precise than a year.",
    "unit_unknown": "The quantity's unit is not one the table can convert.",
    "third_party": "The value is a person who is not a public figure of their own, or may be a minor.",
    "value_sensitive": "The value's class is more sensitive than the recipe lets through.",
    "needs_qualifier": "The property can only be asked with a qualifier that is missing.",
    "merged": "A value of a multi-valued property: an accepted answer of another fact.",
    "no_free_slot": "All candidate slots of this kind are taken.",
    # images
    "no_image": "The subject has no picture.",
    "listing_failed": "The list of the subject's pictures could not be fetched after all retries.",
    "file_missing": "The file is not on Commons any more.",
    "download_failed": "The picture could not be fetched after all retries.",
    "not_an_image": "The file's type is not a still picture that the project decodes.",
    "licence_missing": "The file states no licence.",
    "licence_not_free": "The licence is non-free, non-commercial or no-derivatives.",
    # screen
    "broken_file": "The picture does not decode.",
    "too_small": "The picture's shorter side is below the recipe's least.",
    "too_large": "The picture has more pixels or bytes than the limits allow.",
    "animated": "The picture has several frames.",
    "no_face": "No face is found in the picture.",
    "several_faces": "The picture shows several faces.",
    "face_too_small": "The picture's one face covers too little of it.",
    "not_a_portrait": "The picture has no face or shows a group.",
    "duplicate_same_subject": "The same picture of this subject is kept already.",
    "duplicate_other_subject": "The same picture is filed under another subject.",
    "too_few_views": "The subject has fewer clean pictures than views are needed.",
    # questions
    "answer_in_question": "The question would give its answer away.",
    "name_in_question": "The image form of the question would name the subject.",
    "told_by_name": "The subject's name tells the answer, and false options that share as much cannot be made.",
    "namesake_untold": "Only what is asked would tell the subject from a namesake.",
    "too_few_distractors": "Fewer than three false options of the answer type exist.",
    "rejected_in_review": "A reader of the review has rejected the fact.",
    # probe
    "not_known": "The target does not know the fact in both modalities.",
    "no_known_fact": "The target knows no fact of this subject.",
    # split
    "too_few_known": "The subject has too few known facts to have both forget and retain facts.",
}


def explain(reason: str) -> str:
    """The sentence behind a reason code; raises BadInput for a code that is not in the list."""
    if reason not in REASONS:
        raise BadInput(
            f"drop reason {reason!r}", "is not in schemas/records/drop_reasons.py", "add it there with its sentence"
        )
    return REASONS[reason]


class Refusal(NamedTuple):
    """A reason code of schemas.records.drop_reasons.REASONS and one phrase that says what was found."""

    reason: str
    detail: str
