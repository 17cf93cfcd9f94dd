from lrcn import cli

from .conftest import classifier


def test_export_prints_a_table_and_where_it_is(exportable, capfd):
    run = exportable("run", classifier())
    capfd.readouterr()
    command = ["export", f"run={run.path}", "format=litert"]
    assert cli.main(command) == 0
    out, err = capfd.readouterr()
    folder = run.path / "export" / "litert"
    title, _, columns, _, row = out.rstrip().splitlines()[:5]
    assert title == f"{folder}: frames 1x4x24x32x3"
    assert columns.split("  ")[0].strip() == "format" and "times as fast" in columns
    name, size, difference, keras, own, ratio = row.split()
    assert name == "litert" and float(size) > 0 and float(difference) < 1e-4
    assert float(ratio) > 0 and float(keras) > 0 and float(own) > 0
    # Of what converters and runtimes write by themselves, nothing.
    lines = [line for line in err.splitlines() if line]
    assert lines == [f"results: {folder}", f"next: python {folder}/example.py FRAMES.npy"]

    assert cli.main(command) == 1
    assert "an export is there already" in capfd.readouterr().err
    assert cli.main([*command, "overwrite=true", "time=fixed"]) == 0
