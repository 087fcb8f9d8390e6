"""``mollia duplicates``."""

from mollia_cli.cli.common import JsonListOption, ProjectOption, emit_list, open_project, talk

_COLUMNS = ["group", "split", "id", "label", "text"]


def duplicates(project: ProjectOption = None, as_json: JsonListOption = False) -> None:
    """Show near-duplicates.

    These are texts that differ in case, white space, punctuation or HTML markup alone. Groups that stand in several
    splits come first: a test text that is in the pool, too, makes scores too good.
    `mollia forget` removes items, `mollia move` puts them into another split.

    Example: mollia duplicates --json | jq length
    """
    from mollia_cli.insight.imports import near_duplicates

    with open_project(project, several=True) as opened:
        names = opened.labels.names
        groups = near_duplicates(opened)
    if not groups:
        talk("there are no near-duplicates")
    records = (
        {
            **{"group": number, "split": item.split, "id": item.id},
            **{"label": item.gold_names(names), "text": item.text},
        }
        for number, group in enumerate(groups, 1)
        for item in group
    )
    emit_list(records, _COLUMNS, as_json)
