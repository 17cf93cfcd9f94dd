"""Bad inputs, the command that meets each, and what the user is told: the table of the README."""

from . import (
    captions,
    exports,
    folders,
    hostile,
    interruptions,
    lists,
    machine,
    media,
    page,
    places,
    records,
    registry,
    reports,
    runs,
    settings,
    shards,
    strategies,
    weights,
    words,
)

SUBJECTS = tuple(
    map(
        registry.Subject.of,
        (
            *(lists, media, folders, captions, words, records, shards),
            *(
                settings,
                strategies,
                runs,
                reports,
                page,
                weights,
                exports,
                places,
                interruptions,
                machine,
                hostile,
            ),
        ),
    )
)
