from setuptools import find_packages, setup

#: Top-level folders of the repository that an installation has inside the package.
RESOURCES = {
    "conf": ["*.yml", "*.properties", "*/*.yml"],
    "data": ["*.md", "*/*.parquet"],
    "bin": [],
}

setup(
    packages=[*find_packages(include=["fink_al*"]), *(f"fink_al.{name}" for name in RESOURCES)],
    package_dir={f"fink_al.{name}": name for name in RESOURCES},
    package_data={"fink_al": ["py.typed"], "fink_al.report": ["*.html"]}
    | {f"fink_al.{name}": files for name, files in RESOURCES.items()},
)
