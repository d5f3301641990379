"""Prepare an update beside the checkout, then carry it out."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workshop import files
from workshop.progress import Snapshot, Snapshots, Store
from workshop.update import checkout, settling, source
from workshop.update.apply import Stage, carry_out, finish, sha256
from workshop.update.checkout import Position
from workshop.update.git import Git, GitError, UpdateError
from workshop.update.plan import (
    MISSING,
    Entry,
    Plan,
    Tree,
    changed,
    decide,
    entries_to_restage,
    is_app,
    lesson_of,
)
from workshop.update.source import Source

BEFORE = "refs/workshop/before"
"""The commit before the last update, kept for `--undo`."""

_IDENTITY = {"NAME": "A learner", "EMAIL": "learner@localhost"}


@dataclass
class Report:
    """What an update did, or would do.

    Attributes:
        before: The commit before the update.
        after: The commit after it.
        lessons: Lessons with new or changed files.
        new: Lessons that were added.
        gone: Lessons that were removed.
        kept_in: The copy of each replaced file and of each retired lesson.
        notes: Sentences about repairs that were made first.

    """

    source: str
    branch: str
    before: str
    after: str
    plan: Plan
    commits: int = 0
    files: int = 0
    lessons: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    snapshots: list[Snapshot] = field(default_factory=list)
    kept_in: dict[str, Path] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether there was nothing to update."""
        return self.before == self.after


@dataclass(frozen=True)
class Update:
    """Updates of the checkout of *git*; copies of the learner's work go to *home*."""

    git: Git
    home: Path
    store: Store
    snapshots: Snapshots

    @property
    def stage(self) -> Stage:
        """The folder in which updates are prepared."""
        return Stage(self.git.root)

    def check(
        self, given: str | None, branch: str | None, here: Path, *, overwrite: bool
    ) -> Report:
        """Return what an update would do, without changing the checkout."""
        with self.stage.alone():
            notes = finish(self.git, self.stage)
            where = source.find(self.git, given, here)
            old = self._tracked(where, branch)
            course = source.fetch(self.git, where, branch)
            base = self._base(where, course, old)
            report, _ = self._plan(where.name, base, course, overwrite)
            is_open = checkout.operation(self.git), checkout.unmerged(self.git)
            why_not = settling.obstacle(*is_open)
            report.notes = [*notes, *([why_not] if why_not else [])]
            return report

    def run(
        self, given: str | None, branch: str | None, here: Path, *, overwrite: bool
    ) -> Report:
        """Bring in the course's new files and return what was done.

        Raises:
            UpdateError: The update failed. No file has changed, unless conflicts of an
                earlier merge were resolved first.

        """
        with self.stage.alone():
            notes = finish(self.git, self.stage)
            where = source.find(self.git, given, here)
            kept = self._keep_work()
            old = self._tracked(where, branch)
            course = source.fetch(self.git, where, branch)
            notes += self._settle()
            try:
                base = self._base(where, course, old)
                report, on_disk = self._plan(where.name, base, course, overwrite)
                report.notes, report.snapshots = notes, kept
                if not report.is_empty:
                    _refuse(report.plan)
                    self._carry_out(report, base, course, on_disk, "update")
            except UpdateError as problem:
                raise UpdateError("\n".join([*notes, str(problem)])) from None
            return report

    def undo(self) -> Report:
        """Go back to the commit before the last update, keeping the learner's files.

        Raises:
            UpdateError: The update cannot be undone. Nothing has changed.

        """
        with self.stage.alone():
            notes = finish(self.git, self.stage)
            record = self._record()
            head = Position.of(self.git).commit
            if record is None or self.git.commit(record["before"]) is None:
                raise UpdateError("There is no update to undo.")
            if record["after"] != head:
                raise UpdateError(
                    "The branch has moved since the last update, so it cannot be "
                    f"undone. The commit before it was {record['before'][:10]}."
                )
            kept = self._keep_work()
            notes += self._settle()
            before = str(record["before"])
            report, on_disk = self._plan("", head, before, overwrite=True)
            report.notes, report.snapshots = notes, kept
            _refuse(report.plan)
            self._carry_out(report, head, before, on_disk, "undo")
            self._bring_back(record["kept"], before)
            return report

    def _keep_work(self) -> list[Snapshot]:
        """Copy every lesson that contains the learner's work."""
        committed = checkout.tree(self.git, "HEAD")
        edits = checkout.edited(self.git, self.stage, committed)
        slugs = set(checkout.lessons_with_work(self.git, edits))
        slugs |= {
            slug for path in checkout.unmerged(self.git) if (slug := lesson_of(path))
        }
        slugs |= self._committed_work(committed)
        return [it for slug in sorted(slugs) if (it := self._keep(slug))]

    def _committed_work(self, committed: Tree) -> set[str]:
        """Return lessons whose committed `app.py` differs from the starter."""
        found = set()
        for path, entry in committed.items():
            starter = committed.get(f"solutions/{lesson_of(path)}/steps/0.py")
            if is_app(path) and (starter is None or starter.blob != entry.blob):
                found.add(lesson_of(path))
        return found

    def _keep(self, slug: str) -> Snapshot | None:
        folder = self.git.root / "lessons" / slug
        app = folder / "app.py"
        if app.is_symlink() or not app.is_file():
            return None
        standing = self.store.load().of(slug).standing()
        try:
            return self.snapshots.keep(folder, files.read(app), "update", standing)
        except OSError as problem:
            raise UpdateError(
                f"{app} could not be copied to {self.snapshots.root}: "
                f"{files.reason(problem)}. Nothing was changed. Is the disk full?"
            ) from None

    def _settle(self) -> list[str]:
        operation, unmerged = checkout.operation(self.git), checkout.unmerged(self.git)
        why_not = settling.obstacle(operation, unmerged)
        if why_not:
            raise UpdateError(why_not)
        notes = settling.settle(self.git, operation, unmerged)
        return notes + settling.remove_markers(self.git)

    def _tracked(self, where: Source, branch: str | None) -> str | None:
        """Return the course's commit as last fetched from a remote."""
        name = f"refs/remotes/{where.address}/{branch or 'HEAD'}"
        return self.git.commit(name)

    def _base(self, where: Source, course: str, old: str | None) -> str:
        """Return the course's commit that the checkout is based on."""
        git = self.git
        head = Position.of(git).commit
        found = git.text("merge-base", head, course, accepted=(0, 1))
        if not found and git.text("rev-parse", "--is-shallow-repository") == "true":
            source.deepen(git, where)
            found = git.text("merge-base", head, course, accepted=(0, 1))
        if found:
            return found
        if old == head:
            return head  # the course's history was rewritten; there are no own commits
        raise UpdateError(
            f"This checkout and {where.name} have no commit in common. Is it the "
            "same course? If not, clone it into another folder. Nothing was "
            "changed."
        )

    def _plan(
        self, name: str, base: str, course: str, overwrite: bool
    ) -> tuple[Report, Mapping[str, Entry]]:
        position = Position.of(self.git)
        head = position.commit
        where = position.branch or "no branch"
        report = Report(name, where, head, course, Plan())
        if base == course:
            report.after = head
            return report, {}
        trees = [checkout.tree(self.git, it) for it in (base, head, course)]
        first, committed, new = trees
        on_disk = {
            **checkout.edited(self.git, self.stage, committed),
            **checkout.in_the_way(self.git, new, committed),
        }
        report.plan = decide(
            first, committed, new, on_disk, self._merge, overwrite=overwrite
        )
        paths = changed(first, new)
        report.commits = int(self.git.text("rev-list", "--count", f"{base}..{course}"))
        report.files = len(paths)
        slugs = [{lesson_of(path) for path in it} - {""} for it in (first, new)]
        report.new = sorted(slugs[1] - slugs[0])
        report.gone = sorted(slugs[0] - slugs[1])
        touched = {lesson_of(path) for path in paths} - {""}
        report.lessons = sorted(touched - set(report.new) - set(report.gone))
        return report, on_disk

    def _merge(self, base: str, own: str, new: str) -> str | None:
        """Merge two versions of a base; None if they conflict."""
        with tempfile.TemporaryDirectory(prefix="workshop-") as folder:
            names = []
            for name, blob in (("own", own), ("base", base), ("new", new)):
                file = Path(folder, name)
                file.write_bytes(self.git.run("cat-file", "blob", blob))
                names.append(str(file))
            try:
                result = self.git.run("merge-file", "-p", "-q", *names)
            except GitError:
                return None  # a conflict, or not text
        return self.git.text("hash-object", "-w", "--stdin", stdin=result)

    def _carry_out(
        self,
        report: Report,
        base: str,
        course: str,
        on_disk: Mapping[str, Entry],
        verb: str,
    ) -> None:
        git, stage, plan, head = self.git, self.stage, report.plan, report.before
        committed = checkout.tree(git, head)
        # Without commits of the learner's, no merge commit is needed.
        target = course if base == head else self._merge_commit(plan, head, course)
        report.after = target
        after = checkout.tree(git, target)
        staged = {} if checkout.unmerged(git) else checkout.staged(git)
        record: dict[str, Any] | None = None
        try:
            stage.clear()
            self._stage_files(plan.writes)
            self._stage_index(target, after, entries_to_restage(staged, plan, after))
            report.kept_in = self._keep_replaced(plan)
            kept = {path: str(it) for path, it in report.kept_in.items()}
            if verb == "update":
                git.run("update-ref", BEFORE, head)
                record = {"before": head, "after": target, "kept": kept}
            paths = [*plan.deletes, *plan.writes]
            journal = {
                "head": head,
                "target": target,
                "deletes": plan.deletes,
                "writes": list(plan.writes),
                "expected": {path: sha256(git.root / path) for path in paths},
                "message": f"workshop {verb}",
                "record": record,
            }
            self._verify(paths, committed, on_disk)
            stage.write_journal(journal)
        except (OSError, UpdateError) as problem:
            stage.clear()
            if isinstance(problem, UpdateError):
                raise
            raise UpdateError(
                f"The update could not be prepared: {files.reason(problem)}. Nothing "
                "was changed. Is the disk full, or the folder write-protected?"
            ) from None
        carry_out(git, stage)
        git.run("update-index", "-q", "--refresh", accepted=(0, 1))

    def _verify(
        self, paths: Iterable[str], committed: Tree, decided: Mapping[str, Entry]
    ) -> None:
        """Check that the disk has not changed since the plan was made."""
        paths = list(paths)
        now = checkout.on_disk(self.git, paths, committed)
        for path in paths:
            if now[path] != decided.get(path, committed.get(path, MISSING)):
                raise UpdateError(
                    f"{path} was saved during the update. Nothing was changed. Run "
                    "the same command again."
                )

    def _stage_files(self, writes: Mapping[str, Entry]) -> None:
        """Write the new files beside the checkout."""
        self.stage.new.mkdir(parents=True, exist_ok=True)
        with self.stage.scratch_index() as scratch:
            self.git.run("read-tree", "--empty", variables=scratch)
            self._add(writes, scratch)
            prefix = f"--prefix={self.stage.new.as_posix()}/"
            self.git.run("checkout-index", "-a", "-f", prefix, variables=scratch)

    def _stage_index(
        self, target: str, after: Tree, restaged: Mapping[str, Entry]
    ) -> None:
        index = {"GIT_INDEX_FILE": str(self.stage.index)}
        self.git.run("read-tree", target, variables=index)
        self._add(restaged, index)
        # Some learners mark their app.py so that git ignores changes to it.
        for flag, paths in checkout.flagged(self.git).items():
            known = [path for path in paths if path in after]
            self.git.run(
                *("update-index", "-z", flag, "--stdin"),
                stdin="".join(f"{path}\0" for path in known).encode(),
                variables=index,
            )

    def _add(self, entries: Mapping[str, Entry], index: Mapping[str, str]) -> None:
        lines = "".join(
            f"{it.mode} {it.blob}\t{path}\0" for path, it in entries.items()
        )
        self.git.run(
            *("update-index", "-z", "--index-info"),
            stdin=lines.encode("utf-8", "surrogateescape"),
            variables=index,
        )

    def _merge_commit(self, plan: Plan, head: str, course: str) -> str:
        """Return a commit that merges the learner's commits and the course's."""
        git = self.git
        with self.stage.scratch_index() as scratch:
            git.run("read-tree", head, variables=scratch)
            gone = [path for path, it in plan.tree.items() if it is None]
            git.run(
                *("update-index", "-z", "--force-remove", "--stdin"),
                stdin="".join(f"{path}\0" for path in gone).encode(),
                variables=scratch,
            )
            self._add({path: it for path, it in plan.tree.items() if it}, scratch)
            made = git.text("write-tree", variables=scratch)
        return git.text(
            *("commit-tree", made, "-p", head, "-p", course),
            *("-m", "Update the course, with my files kept"),
            variables=self._identity(),
        )

    def _identity(self) -> dict[str, str]:
        """Return an author and committer for clones in which git has none."""
        try:
            self.git.run("var", "GIT_COMMITTER_IDENT")
        except GitError:
            return {
                f"GIT_{role}_{what}": value
                for role in ("AUTHOR", "COMMITTER")
                for what, value in _IDENTITY.items()
            }
        return {}

    def _keep_replaced(self, plan: Plan) -> dict[str, Path]:
        """Copy the learner's files that are about to be replaced."""
        folder = self.home / "kept" / "updates" / time.strftime("%Y%m%d-%H%M%S")
        kept = {}
        for path in (*plan.replaced, *(f"lessons/{it}/app.py" for it in plan.retired)):
            copy = folder / path
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self.git.root / path, copy)
            kept[path] = copy
        return kept

    def _record(self) -> dict[str, Any] | None:
        try:
            data = json.loads(self.stage.record.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return data if isinstance(data, dict) and "kept" in data else None

    def _bring_back(self, kept: Mapping[str, str], before: str) -> None:
        """Restore files that the update had replaced, unless they were edited since."""
        committed = checkout.tree(self.git, before)
        now = checkout.on_disk(self.git, list(kept), committed)
        for path, copy in kept.items():
            file = self.git.root / path
            if now[path] in (MISSING, committed.get(path)) and Path(copy).is_file():
                file.parent.mkdir(parents=True, exist_ok=True)
                files.replace(file, Path(copy).read_bytes(), 0o644)


def _refuse(plan: Plan) -> None:
    if plan.obstacles:
        raise UpdateError(
            f"{plan.obstacles[0]} cannot be updated, because it is a link or a folder, "
            "or is inside a link. Move it, then update again. Nothing was changed."
        )
    if plan.conflicts:
        others = len(plan.conflicts) - 1
        more = f" (and {others} more)" if others else ""
        raise UpdateError(
            f"You and the course have changed the same lines of {plan.conflicts[0]}"
            f"{more}. Nothing was changed. `python -m workshop update --overwrite` "
            "uses the course's version and keeps a copy of yours. Or merge them "
            f"yourself: `git merge {source.INCOMING}`"
        )
