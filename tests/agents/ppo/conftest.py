import pytest


@pytest.fixture(scope="session")
def small_files(tmp_path_factory):
    """A tiny warmed-up model and its problems."""
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    from small_runs import write_files

    folder = tmp_path_factory.mktemp("small")
    write_files(folder)
    return folder
