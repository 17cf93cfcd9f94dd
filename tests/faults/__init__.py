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
    places,
    records,
    registry,
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
