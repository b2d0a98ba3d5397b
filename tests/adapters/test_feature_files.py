from ops_pipelines.adapters.feature_files import read_feature_files

VIEWS = """
from feast import FeatureView
import entities

NAME = "computed"
planes = FeatureView(name="planes", entities=[entities.plane])
unnamed = FeatureView(name=NAME)
"""
SERVICES = "import feast\nfrom views import planes\n\ndelay = feast.FeatureService(name='delay', features=[planes])\n"


def test_views_services_and_imports_are_read_without_running_a_file(tmp_path):
    for name, text in {"entities": "raise SystemExit", "views": VIEWS, "services": SERVICES}.items():
        (tmp_path / f"{name}.py").write_text(text)
    entities, services, views = read_feature_files(tmp_path)
    assert (views.views, views.services, views.imports) == (("planes",), (), (entities.path,))
    assert (services.views, services.services, services.imports) == ((), ("delay",), (views.path,))


def test_a_file_that_does_not_parse_defines_nothing(tmp_path):
    (tmp_path / "views.py").write_text("def (")
    (found,) = read_feature_files(tmp_path)
    assert (found.views, found.services, found.imports) == ((), (), ())


def test_a_project_without_a_feature_repo_has_no_files(tmp_path):
    assert read_feature_files(tmp_path / "nowhere") == []
