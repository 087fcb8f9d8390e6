"""Engines: where the work runs that processes other than this one can do."""

from mollia_cli.domain.registry import Entry, Registry

ENGINES = Registry(
    "engine",
    __name__,
    {
        "local": Entry("LocalEngine", "worker processes of this machine, one a core"),
        "dask": Entry("DaskEngine", "Dask's workers, here or on other machines (needs the dask extra)"),
        "ray": Entry("RayEngine", "Ray's workers, here or on other machines (needs the ray extra)"),
    },
    contract="Engine",
)
