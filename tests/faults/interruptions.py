"""Kills, signals and parallel processes; other tests make them."""

from .registry import Elsewhere

TITLE = "Kills, signals, parallel processes"

ELSEWHERE = (
    Elsewhere(
        "a training killed (SIGKILL) three times",
        "`resume=RUN`, or the same command, ends with the same weights, bit for bit",
        "tests/training/kill_test.py::test_three_kills_change_not_a_bit",
    ),
    Elsewhere(
        "SIGTERM or Ctrl-C in a training",
        "the step is finished and saved; `resume=RUN` goes on with the next one (143, 130)",
        "tests/training/kill_test.py::test_signals_end_with_their_codes_and_change_not_a_bit",
    ),
    Elsewhere(
        "the same in a validation",
        "no step is trained twice",
        "tests/training/interruption_test.py::test_a_stop_in_the_validation_trains_nothing_twice",
    ),
    Elsewhere(
        "a second signal",
        "the process ends at once",
        "tests/training/interruption_test.py::test_a_second_signal_ends_at_once",
    ),
    Elsewhere(
        "a kill in a long epoch",
        "at most `callbacks.save_seconds` are lost",
        "tests/training/interruption_test.py::test_checkpoints_within_an_epoch_go_by_time",
    ),
    Elsewhere(
        "`last.keras` is broken or gone",
        "the one before it is taken, and said so",
        "tests/training/interruption_test.py::test_a_broken_checkpoint_falls_back_to_the_one_before",
    ),
    Elsewhere(
        "`last.keras` and `previous.keras` are broken",
        "refused, with the file (1)",
        "tests/training/interruption_test.py::test_two_broken_checkpoints_are_an_error",
    ),
    Elsewhere(
        "`best.keras` is broken",
        "replaced by a checkpoint of its epoch if there is one",
        "tests/training/interruption_test.py::test_a_broken_best_is_mended_by_a_checkpoint_of_its_epoch",
    ),
    Elsewhere(
        "a serialization killed at any step",
        "the same command goes on with what is done and ends with the same bytes",
        "tests/data/unfinished_test.py::test_a_kill_at_any_step_changes_not_a_byte",
    ),
    Elsewhere(
        "the same, by SIGKILL through the command line",
        "the same bytes",
        "tests/serialize_cli_test.py::test_kills_at_any_moment_change_not_a_byte",
    ),
    Elsewhere(
        "SIGTERM or Ctrl-C in a serialization",
        "it ends within a frame and says how to go on (143, 130)",
        "tests/serialize_cli_test.py::test_signals_end_it_quickly_and_a_second_process_is_refused",
    ),
    Elsewhere(
        "two serializations into one folder",
        "the second is refused, with the process of the first (1)",
        "tests/serialize_cli_test.py::test_signals_end_it_quickly_and_a_second_process_is_refused",
    ),
    Elsewhere(
        "two trainings into one folder",
        "the second is refused, with the process of the first (1)",
        "tests/verbs_test.py::test_two_trainings_in_one_folder_are_refused",
    ),
    Elsewhere(
        "a finished run that cannot be lengthened",
        "it stays done, as it was (1)",
        "tests/verbs_test.py::test_a_finished_run_stays_so_until_a_step_is_saved_anew",
    ),
    Elsewhere(
        "no room to unpack a checkpoint",
        "told; the checkpoint stays (1)",
        "tests/training/interruption_test.py::test_what_the_system_refuses_for_now_is_no_damage",
    ),
    Elsewhere(
        "settings or files changed since a kill",
        "begun anew, and said so",
        "tests/data/unfinished_test.py::test_another_plan_begins_anew",
    ),
    Elsewhere(
        "an unfinished shard is damaged",
        "made anew; the others are kept",
        "tests/data/unfinished_test.py::test_a_damaged_shard_is_made_anew_and_the_others_are_kept",
    ),
    Elsewhere(
        "a killed training was serializing into the cache",
        "continued there",
        "tests/datasets_test.py::test_a_killed_serialization_is_continued_in_the_cache",
    ),
    Elsewhere(
        "two trainings want the same data",
        "the second waits for the first, and says so",
        "tests/datasets_test.py::test_who_wants_the_same_waits_for_the_first",
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
        "its log and the summary tell why; the same command repeats only what is not done (1)",
        "tests/verbs_test.py::test_a_sweep_goes_on_after_a_failure_and_repeats_only_what_is_not_done",
    ),
    Elsewhere(
        "another request on a finished run",
        "refused; the run stays as it is (1)",
        "tests/verbs_test.py::test_a_refused_request_leaves_a_finished_run_as_it_is",
    ),
    Elsewhere(
        "a sweep on a launcher is stopped, or its process killed",
        "its jobs save and end; the same command goes on (143, 130)",
        "tests/launchers_test.py::test_a_search_is_continued_and_keeps_to_its_space",
    ),
    Elsewhere(
        "the process of one job is killed",
        "named in the summary; the same command goes on (1)",
        "tests/launchers_test.py::test_a_job_that_is_killed_is_told_and_repeated",
    ),
)
