"""Stage attack: every known fact asked with a prefix, as a jailbreak and in other words."""

from curation.splits.personalized_votes import Rated
from flows.pipeline.stage import Rows, StageRun, Tables, by_subject
from flows.resources.resources import Resources
from flows.stages.annotation import say_attacks, write_attacks
from flows.stages.split import rated_subjects
from schemas.records.build_rows import AttackPrompt, Question


def attack(run: StageRun, resources: Resources) -> None:
    """Three attacks in both modalities on every known fact."""

    def attacked(shard: int) -> list[tuple[Rated, list[Question]]]:
        asked = by_subject(run.read("questions", "questions", Question, shard))
        return [(rated, asked[rated.subject.subject_id]) for rated in rated_subjects(run, shard)]

    def work(shard: int) -> Tables:
        subjects = attacked(shard)
        run.took[shard] = sum(len(rated.facts) for rated, _ in subjects)
        prompts, workers = write_attacks(run.recipe, resources, subjects, progress=run.progress)
        return {"attacks": Rows(AttackPrompt, prompts), **workers}

    say_attacks(run.recipe, resources, lambda: (one for shard in run.shards() for one in attacked(shard)))
    run.map("attacks", run.shards(), work)
