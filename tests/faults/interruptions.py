"""Kills, failed writes and what else happens while a command works; other tests make them."""

from .registry import Elsewhere

TITLE = "Kills, failed writes, parallel processes"

ELSEWHERE = (
    Elsewhere(
        "training killed three times",
        "`resume=RUN` ends with the same weights, bit for bit",
        "tests/training/kill_test.py::test_three_kills_change_not_a_bit",
    ),
    Elsewhere(
        "a checkpoint that cannot be written whole",
        "the previous one stays",
        "tests/training/callbacks_test.py::test_a_failed_save_leaves_the_previous_checkpoint",
    ),
    Elsewhere(
        "copying checkpoints fails half-way",
        "no `last.keras` that is none",
        "tests/runs_test.py::test_a_copy_that_fails_leaves_no_last_checkpoint",
    ),
    Elsewhere(
        "a loss that is no number",
        "the run ends, with epoch and batch; its checkpoints stay",
        "tests/training/session_test.py::test_a_loss_that_is_no_number_ends_the_run",
    ),
    Elsewhere(
        "an exception while a file is written",
        "nothing under its name, or what was there before",
        "tests/files_test.py::test_nothing_is_under_the_name_after_an_exception",
    ),
    Elsewhere(
        "an exception while a file is replaced",
        "what was there before",
        "tests/files_test.py::test_what_was_there_stays_after_an_exception",
    ),
    Elsewhere(
        "two processes write one file",
        "each writes a whole one, the last stays",
        "tests/files_test.py::test_two_writers_of_one_file_do_not_meet",
    ),
    Elsewhere(
        "a killed process held a lock",
        "the next one gets it",
        "tests/files_test.py::test_a_lock_is_waited_for_and_a_killed_process_lets_go_of_it",
    ),
    Elsewhere(
        "serializing killed half-way",
        "its temporary files are removed by the next one; no `.size`, so no records",
        "tests/data/serialize_test.py::test_what_a_killed_process_left_is_removed",
    ),
    Elsewhere(
        "a fault in a new folder of records",
        "the folder is not there afterwards; one that was there is as before",
        "tests/data/serialize_test.py::test_an_error_leaves_no_new_folder_and_every_old_one",
    ),
    Elsewhere(
        "a fault in the second of two lists",
        "the records of the first are whole",
        "tests/data/serialize_test.py::test_an_error_keeps_the_splits_that_are_done",
    ),
    Elsewhere(
        "`overwrite=true` that fails",
        "the old records stay",
        "tests/data/serialize_test.py::test_a_failed_overwrite_leaves_the_old_records",
    ),
    Elsewhere(
        "records in a folder that cannot be written",
        "refused, with the reason (1)",
        "tests/data/serialize_test.py::test_a_folder_that_cannot_be_written",
    ),
    Elsewhere(
        "faulty items with `on_error=skip`",
        "left out, each with its reason in the report and the `.size`",
        "tests/data/serialize_test.py::test_a_bad_item_stops_or_is_skipped_with_its_reason",
    ),
    Elsewhere(
        "whoever reads the results has enough of them (`| head`)",
        "the command ends without a message",
        "tests/cli_test.py::test_whoever_reads_the_results_may_have_enough_of_them",
    ),
    Elsewhere(
        "a job of a sweep fails",
        "its `train.log` and the summary tell why; the others go on; the same command repeats only "
        "what is not done (1)",
        "tests/verbs_test.py::"
        "test_a_sweep_goes_on_after_a_failure_and_repeats_only_what_is_not_done",
    ),
    Elsewhere(
        "another request on a finished run",
        "refused; the run stays as it is (1)",
        "tests/verbs_test.py::test_a_refused_request_leaves_a_finished_run_as_it_is",
    ),
)
