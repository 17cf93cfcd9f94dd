"""Full disks and what else a machine does to a command; other tests make them."""

from .registry import Elsewhere

TITLE = "Full disks, vanished files, numbers that are none"

ELSEWHERE = (
    Elsewhere(
        "a full disk, at any write of `serialize`",
        "the file and the reason; the same command then goes on (1)",
        "tests/write_faults_test.py::test_serialize",
    ),
    Elsewhere(
        "... of `train`",
        "the same; the checkpoints before stay (1)",
        "tests/write_faults_test.py::test_train",
    ),
    Elsewhere(
        "... of `evaluate`",
        "results appear together or not at all; earlier ones stay (1)",
        "tests/write_faults_test.py::test_evaluate_again_keeps_what_was_measured",
    ),
    Elsewhere(
        "... of `predict overlay=`",
        "no half video; one that was there stays (1)",
        "tests/write_faults_test.py::test_predict",
    ),
    Elsewhere(
        "... of `check report=`, `browse`, `fuse`, `import`, `retrieve`",
        "no half file (1)",
        "tests/write_faults_test.py::test_import",
    ),
    Elsewhere(
        "... of a sweep",
        "the job failed; the others and the summary are there (1)",
        "tests/write_faults_test.py::test_a_sweep_ends_with_its_summary_whatever_job_fails",
    ),
    Elsewhere(
        "a disk that is really full (tmpfs)",
        "no space left on device, with the file (1)",
        "tests/full_disk_test.py::test_train_on_a_full_disk",
    ),
    Elsewhere(
        "a limit on the size of files (`ulimit -f`)",
        "file too large, with the file (1)",
        "tests/full_disk_test.py::test_train_under_a_limit_of_file_size",
    ),
    Elsewhere(
        "a file system that is read-only",
        "refused before any work (1)",
        "tests/full_disk_test.py::test_evaluate_in_a_folder_of_a_read_only_file_system",
    ),
    Elsewhere(
        "a folder without the right to write",
        "refused before any work (1)",
        "tests/data/serialize_test.py::test_a_folder_that_cannot_be_written",
    ),
    Elsewhere(
        "`train.log` cannot be written",
        "told once; the training goes on",
        "tests/logs_test.py::test_a_full_disk_is_told_once_and_closes_quietly",
    ),
    Elsewhere(
        "no memory is left",
        "what to lower (1)",
        "tests/cli_test.py::test_a_fault_of_the_machine_is_no_bug",
    ),
    Elsewhere(
        "a library crashes",
        "the stack of every thread",
        "tests/cli_test.py::test_a_crash_of_a_library_says_where",
    ),
    Elsewhere(
        "a source changes while it is read",
        "the item, as any faulty one: stop or skip (1)",
        "tests/data/sources_test.py::test_serialize_stops_at_it_or_skips_it",
    ),
    Elsewhere(
        "records change or go while they are read",
        "the file (1)",
        "tests/data/damage_test.py::test_records_that_change_while_they_are_read_are_noticed",
    ),
    Elsewhere(
        "the folder of a run is removed",
        "the run is not called done (1)",
        "tests/vanished_test.py::test_the_folder_of_a_run",
    ),
    Elsewhere(
        "a loss that is no number",
        "the items of the batch and of the update before; the checkpoint before stays (1)",
        "tests/training/finite_test.py::test_a_loss_names_its_items_and_those_of_the_update_before",
    ),
    Elsewhere(
        "weights that are no numbers",
        "stopped before a checkpoint holds them (1)",
        "tests/training/finite_test.py::test_a_last_update_that_spoils_the_weights_leaves_the_good_checkpoint",
    ),
)
