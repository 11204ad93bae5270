"""Widgets for files and folders."""

from __future__ import annotations

import os

import pytest
from PySide6.QtTest import QTest


class TestPathLineEdit:
    def test_a_path_is_announced_with_its_validity(self, ctk, heard):
        line = ctk.ctkPathLineEdit()
        heard.follow(line, "currentPathChanged(QString)", "validInputChanged(bool)")
        line.currentPath = "/data/brain.nii"
        line.currentPath = ""
        assert heard == [
            ("currentPathChanged", "/data/brain.nii"),
            ("validInputChanged", True),
            ("validInputChanged", False),
        ]

    @pytest.mark.parametrize(
        ("filters", "path", "is_valid"),
        [
            (["*.nii"], "/data/brain.nii", True),
            (["*.nii"], "/data/brain.NII", True),
            (["*.nii"], "/data/brain.nrrd", False),
            (["Images (*.nii *.nrrd)"], "/data/brain.nrrd", True),
            (["Images (*.nii *.nrrd)"], "/data/brain.txt", False),
            (["Images (*.nii)", "All (*)"], "/data/brain.txt", True),
        ],
    )
    def test_a_path_is_valid_if_a_filter_of_names_fits(self, ctk, heard, filters, path, is_valid):
        line = ctk.ctkPathLineEdit()
        line.nameFilters = filters
        heard.follow(line, "currentPathChanged(QString)")
        line.currentPath = path
        assert line.currentPath == path
        assert heard == ([("currentPathChanged", path)] if is_valid else [])

    def test_filters_are_flags_of_the_class(self, ctk):
        line = ctk.ctkPathLineEdit()
        line.filters = ctk.ctkPathLineEdit.Dirs | ctk.ctkPathLineEdit.Writable
        assert line.filters == 0x21
        assert ctk.ctkPathLineEdit.Files == 2

    def test_paths_are_remembered_under_a_key(self, ctk):
        line = ctk.ctkPathLineEdit()
        line.settingKey = "TestedModels"
        for path in ("/a.pt", "/b.pt", "/a.pt"):
            line.currentPath = path
            line.addCurrentPathToHistory()
        other = ctk.ctkPathLineEdit()
        other.settingKey = "TestedModels"
        box = other.comboBox()
        assert [box.itemText(row) for row in range(box.count)] == ["/a.pt", "/b.pt"]
        assert other.currentPath == "/a.pt"

    @pytest.mark.parametrize(
        ("filters", "dialog"),
        [
            ("Files", "getOpenFileName"),
            ("Files|Writable", "getSaveFileName"),
            ("Dirs", "getExistingDirectory"),
        ],
    )
    def test_browsing_asks_for_what_the_filters_say(self, qt, ctk, monkeypatch, filters, dialog):
        line = ctk.ctkPathLineEdit()
        line.filters = sum(int(getattr(ctk.ctkPathLineEdit, name)) for name in filters.split("|"))
        answer = "/chosen" if dialog == "getExistingDirectory" else ("/chosen", "")
        monkeypatch.setattr(qt.QFileDialog, dialog, lambda *_arguments: answer)
        QTest.mouseClick(line.findChildren(qt.QToolButton)[0], qt.Qt.LeftButton)
        assert line.currentPath == "/chosen"

    def test_a_dialog_that_is_cancelled_changes_nothing(self, qt, ctk, monkeypatch):
        line = ctk.ctkPathLineEdit()
        line.currentPath = "/before"
        line.filters = ctk.ctkPathLineEdit.Dirs
        monkeypatch.setattr(qt.QFileDialog, "getExistingDirectory", lambda *_arguments: "")
        line.browse()
        assert line.currentPath == "/before"


class TestDirectoryButton:
    def test_a_folder_is_absolute_and_announced(self, ctk, heard, tmp_path):
        button = ctk.ctkDirectoryButton()
        heard.follow(button, "directoryChanged(QString)", "directorySelected(QString)")
        button.directory = str(tmp_path / "sub" / "..")
        assert os.path.isabs(button.directory)
        assert [name for name, _ in heard] == ["directorySelected", "directoryChanged"]
        heard.clear()
        button.directory = button.directory
        assert [name for name, _ in heard] == ["directorySelected"]

    def test_its_text_goes_before_its_folder(self, ctk, qt, tmp_path):
        button = ctk.ctkDirectoryButton(str(tmp_path))
        shown = button.findChildren(qt.QPushButton)[0]
        assert shown.text == str(tmp_path)
        button.text = "Output"
        assert shown.text == "Output"

    def test_browsing_sets_the_folder(self, ctk, qt, tmp_path, monkeypatch):
        button = ctk.ctkDirectoryButton()
        monkeypatch.setattr(qt.QFileDialog, "getExistingDirectory", lambda *_arguments: str(tmp_path))
        assert button.browse() == str(tmp_path)
        assert button.directory == str(tmp_path)
