"""The package's own tests are run where it is installed: tests/testing/test_plugin_package.py does that."""

collect_ignore_glob = ["*"]
