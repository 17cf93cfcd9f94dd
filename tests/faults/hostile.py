"""Crafted input; other tests make it."""

from .registry import Elsewhere

TITLE = "Crafted input"

ELSEWHERE = (
    Elsewhere(
        "images that decode to gigabytes (PNG, TIFF tiles, ...)",
        "refused before decoding, with the key (1)",
        "tests/data/images_test.py::test_large_images_are_refused_before_they_are_decoded",
    ),
    Elsewhere(
        "PostScript and other formats that run programs",
        "no image; nothing is started (1)",
        "tests/data/images_test.py::test_no_program_is_started",
    ),
    Elsewhere(
        "playlists and scripts under the name of a video",
        "no video; no other file and no network is opened (1)",
        "tests/data/containers_test.py::test_files_that_name_others_are_no_videos",
    ),
    Elsewhere(
        "frames that grow in the middle of a video",
        "refused, with the key (1)",
        "tests/data/containers_test.py::test_frames_that_grow_later_are_bounded_too",
    ),
    Elsewhere(
        "hours between two frames, and `dataset.fps`",
        "refused, with the key (1)",
        "tests/data/containers_test.py::test_a_gap_between_time_stamps_is_not_filled_without_end",
    ),
    Elsewhere(
        "pipes, devices and sockets in the place of files",
        "refused, not waited for (1)",
        "tests/data/bounded_test.py::test_only_files_are_opened",
    ),
    Elsewhere(
        "any bytes as JSON",
        "a value or a reason",
        "tests/data/bounded_test.py::test_any_bytes_are_json_or_refused",
    ),
    Elsewhere(
        "names in annotations that lead out of their folder",
        "refused (1)",
        "tests/data/coco_test.py::test_names_that_lead_out_of_the_folder",
    ),
    Elsewhere(
        "any key of `limits`, at each verb",
        "the key to raise (1)",
        "tests/limits_cli_test.py::test_a_limit_holds_where_data_sets_are_read",
    ),
    Elsewhere(
        "a length in TFRecords that lies",
        "no room is made for it (1)",
        "tests/data/damage_test.py::test_a_length_that_lies_makes_no_room_for_itself",
    ),
    Elsewhere(
        "forged records: other types, clips beyond, frames that are none",
        "file, number and item (1)",
        "tests/data/damage_test.py::test_a_forged_record_is_told_by_file_index_and_item",
    ),
    Elsewhere(
        "a `.keras` file with code (`Lambda`, modules, functions)",
        "the class; nothing runs (1)",
        "tests/models/archives_test.py::test_a_lambda_runs_nothing",
    ),
    Elsewhere(
        "a `.keras` file that unpacks to far more than it is",
        "refused (1)",
        "tests/models/archives_test.py::test_what_unpacks_to_far_more_than_it_is_is_refused",
    ),
    Elsewhere(
        "a network that asks for more weights than its file holds",
        "refused before memory is taken (1)",
        "tests/models/archives_test.py::test_no_more_weights_are_built_than_the_archive_holds",
    ),
    Elsewhere(
        "overrides by which Hydra would run code",
        "refused (2)",
        "tests/overriding_test.py::test_overrides_that_run_code_end_with_a_message_and_exit_code_2",
    ),
    Elsewhere(
        "`resume=` of a stranger's run with such overrides",
        "refused or left out (1)",
        "tests/overriding_test.py::test_other_stored_overrides_are_refused",
    ),
    Elsewhere(
        "the same by a file beside that run (`experiment=../...`)",
        "refused; it is not read (1)",
        "tests/overriding_test.py::test_a_strangers_member_is_not_read",
    ),
    Elsewhere(
        "links in a stranger's run",
        "refused; nothing is written through them (1)",
        "tests/runs_test.py::test_nothing_is_written_through_links_of_a_run",
    ),
    Elsewhere(
        "control characters in names",
        "shown as escapes",
        "tests/errors_test.py::test_what_acts_on_a_terminal_is_shown_as_escapes",
    ),
    Elsewhere(
        "200 files, 20 of them broken in different ways",
        "`lrcn check` names the 20, each with its reason (1)",
        "tests/check_two_hundred_test.py::test_it_finds_what_is_broken_and_no_more",
    ),
)
