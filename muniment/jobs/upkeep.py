"""The part of a run that looks after what is held: verify, searches, stamp, export."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from muniment.archive.archive import Archive
from muniment.errors import IntegrityError, StorageError, UsageError
from muniment.jobs.places import is_own
from muniment.jobs.report import moment

if TYPE_CHECKING:
    from muniment.ingest.authority import How
    from muniment.jobs.running import Run
    from muniment.model import Snapshot


def verify(run: Run, archive: Archive) -> None:
    from muniment.archive.verify import Request, Verification
    from muniment.archive.verify.sample import Sample

    if not (run.job.folders or run.job.fetches):  # else whoever wrote did so
        _set_aside(run, archive)
    asked = run.job.verify
    share, leaves = (asked, None) if isinstance(asked, float) else (None, asked)
    sample = Sample(run.root, archive.size, share, leaves, run.world.clock())
    request = Request(ranges=sample.ranges, processes=run.world.processes or 0)
    verification = Verification(run.root, archive.config, request, sample.note)
    run.report.findings = []
    for finding in verification.run():
        where = f"#{finding.snapshot} " if finding.snapshot is not None else ""
        run.report.findings.append(f"{finding.finding}: {where}{finding.file or ''} {finding.detail}".strip())
    at = sample.state()
    run.report.verified = (
        f"verified part {at['part']} of {at['parts']}, {verification.tally.records:,} records:"
        f" {len(run.report.findings):,} findings"
    )
    run.end("verify")  # a part that is read twice is better than a finding that nobody is told
    sample.finish()


def _set_aside(run: Run, archive: Archive) -> None:
    """What a writer left that was killed is no finding at night: the next one sets it aside, and here that is this."""
    try:
        with archive.writer(wait=run.world.wait) as writer:
            if writer.recovered:
                run.report.notes.append(
                    f"an unfinished write was set aside in quarantine/: {', '.join(writer.recovered)}"
                )
    except (UsageError, IntegrityError):  # no key here; or damage, which verify is about to name
        return


def searches(run: Run, archive: Archive) -> None:
    from muniment import watching

    with watching.locked(archive, run.world.wait):
        for name in run.job.searches:
            try:
                with watching.news(archive, watching.read(archive, name), snippets=False) as found:
                    if _is_told(run, name, found.since):
                        continue
                    told = [hit.snapshot for hit in found.hits]
                    _tell(run, name, told)
                    run.state.taken[name] = [found.until]
                    run.keep(now=True)
                    watching.remember(archive, found, len(told))
            except UsageError as e:
                run.error(f"search {name}: {e}")


def _is_told(run: Run, name: str, since: int) -> bool:
    """Whether the run told what is new before it was cut off, and the search remembers."""
    return name in run.state.taken and since >= run.state.taken[name][0]


def _tell(run: Run, name: str, told: Sequence[Snapshot]) -> None:
    """In place of what was told before, and not remembered."""
    prefix = f"new for {name}: "
    notes = [note for note in run.report.notes if not note.startswith(prefix)]
    run.report.notes = notes + [f"{prefix}#{hit.number} {hit.title or hit.url or ''}".strip() for hit in told]
    run.report.searches[name] = len(told)


def stamp(run: Run, archive: Archive) -> None:
    from muniment import stamping
    from muniment.archive.authorities import parse_stamp_name

    wait = run.world.wait
    how: How = {"allow_private": run.job.allow_private, "resolve": run.job.resolve}
    held = [
        name for name, leaf, *_ in archive.catalog.stamps() if leaf >= run.state.stage_size
    ]  # before it was cut off
    given = [f"stamped by {parse_stamp_name(name).party}" for name in held]
    asked = stamping.stamp(archive, wait=wait, **how)
    given += [f"stamped by {one.name}" for one in asked.granted]
    upgraded = stamping.upgrade(archive, wait=wait, **how)
    given += [f"confirmed by {one.name}" for one in upgraded.granted]
    run.report.stamped = given if given or asked.failed else ["nothing new to stamp"]
    if asked.failed and not given:
        run.report.undone.append("stamp")
    for name, error in (*asked.failed, *upgraded.failed):
        run.error(f"stamp: {name}: {error}")


def export(run: Run, archive: Archive) -> None:
    from muniment import exporting
    from muniment.export.job import Job as ExportJob
    from muniment.export.members import Members

    asked, now = run.job.export, moment(run.report.started)
    assert asked is not None  # the stage is there for it
    named = asked.path.replace("{date}", f"{now:%Y-%m-%d}").replace("{time}", f"{now:%H%M%S}")
    if is_own(run.root, named):
        raise UsageError(f"{named} is of the archive itself: export to another path")
    path = run.root / named
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise UsageError(f"{path.parent}: {e.strerror}") from None
    exporting.check_target(path, asked.form, force=True)
    exporting.remove_unfinished(path)
    with Members(archive) as members:
        selection = exporting.select(archive, members, (), asked.query, versions=False)
        if not selection.snapshots:
            run.report.exported = "nothing matched, and nothing was exported"
            return
        made = ExportJob(archive, members, selection, now)
        try:
            exporting.write(made, asked.form, path)
        except StorageError as e:  # of the disk that it goes to: the archive's own tells soon enough
            raise UsageError(str(e)) from e
    run.report.exported = f"{len(set(selection.snapshots) - made.damaged.keys()):,} snapshots exported to {path}"
    run.report.errors += [f"export: left out #{number}: {why}" for number, why in sorted(made.damaged.items())]
