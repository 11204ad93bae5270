"""What folds: ctkCollapsibleButton and ctkCollapsibleGroupBox."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint
from PySide6.QtTest import QTest


class TestCollapsibleButton:
    @pytest.fixture
    def section(self, qt, ctk, show):
        section = ctk.ctkCollapsibleButton("Inputs")
        layout = qt.QFormLayout(section)
        for name in ("first", "second"):
            row = qt.QLineEdit()
            row.objectName = name
            layout.addRow(name, row)
        return show(section)

    def test_is_a_checkable_button_that_is_checked_while_open(self, qt, section):
        assert isinstance(section, qt.QAbstractButton)
        assert section.text == "Inputs"
        assert (section.checkable, section.checked, section.collapsed) == (True, True, False)
        section.checked = False
        assert section.collapsed

    def test_folds_its_children_away_and_back(self, section, heard):
        heard.follow(section, "contentsCollapsed(bool)", "toggled(bool)")
        height = section.sizeHint.height()
        section.collapsed = True
        assert not section.first.visible
        assert section.sizeHint.height() < height
        assert section.maximumHeight < height
        section.collapsed = False
        assert section.first.visible
        assert section.sizeHint.height() == height
        assert heard == [
            ("contentsCollapsed", True),
            ("toggled", False),
            ("contentsCollapsed", False),
            ("toggled", True),
        ]

    def test_a_child_that_was_hidden_stays_hidden(self, section):
        section.second.hide()
        section.collapsed = True
        section.collapsed = False
        assert section.first.visible
        assert not section.second.visible

    def test_a_child_that_is_shown_while_the_section_is_closed_comes_with_it(self, section):
        section.second.hide()
        section.collapsed = True
        section.second.show()
        assert not section.second.visible
        section.collapsed = False
        assert section.second.visible

    def test_a_child_that_is_hidden_while_the_section_is_closed_does_not_come_back(self, section):
        section.collapsed = True
        section.second.hide()
        section.collapsed = False
        assert not section.second.visible

    def test_a_section_that_starts_closed_opens(self, qt, ctk, show):
        section = ctk.ctkCollapsibleButton()
        layout = qt.QVBoxLayout(section)
        row, hidden = qt.QLabel("row"), qt.QLabel("hidden")
        hidden.hide()
        layout.addWidget(row)
        layout.addWidget(hidden)
        section.collapsed = True
        show(section)
        assert not row.visible
        section.collapsed = False
        assert row.visible
        assert not hidden.visible

    def test_a_layout_gives_a_closed_section_the_height_of_its_bar(self, ctk, qt, show):
        window, section = qt.QWidget(), ctk.ctkCollapsibleButton("Advanced")
        rows = qt.QVBoxLayout(section)
        for _ in range(8):
            rows.addWidget(qt.QLineEdit())
        column = qt.QVBoxLayout(window)
        column.addWidget(section)
        column.addStretch(1)
        section.collapsed = True
        window.resize(300, 600)
        show(window)
        bar = section.contentsMargins().top()
        assert section.height == bar + section.collapsedHeight
        section.collapsed = False
        qt.QApplication.processEvents()
        assert section.height > 8 * bar

    def test_a_child_that_comes_later_follows(self, qt, section):
        section.collapsed = True
        late = qt.QLabel("late")
        section.layout().addRow(late)
        qt.QApplication.processEvents()
        assert not late.visible
        section.collapsed = False
        qt.QApplication.processEvents()
        assert late.visible

    def test_a_child_that_moves_away_follows_no_longer(self, qt, section, show):
        elsewhere = show(qt.QWidget())
        label = section.first
        label.setParent(elsewhere)
        section.collapsed = True
        label.show()
        assert label.visible

    def test_the_bar_opens_and_closes_and_the_rest_does_not(self, qt, section):
        section.resize(300, 200)
        QTest.mouseClick(section, qt.Qt.LeftButton, qt.Qt.NoModifier, QPoint(150, 5))
        assert section.collapsed
        QTest.mouseClick(section, qt.Qt.LeftButton, qt.Qt.NoModifier, QPoint(150, 5))
        assert not section.collapsed
        QTest.mouseClick(section, qt.Qt.LeftButton, qt.Qt.NoModifier, QPoint(150, 190))
        assert not section.collapsed

    def test_the_triangle_and_the_title_stand_left_in_the_colors_of_the_palette(self, qt, section):
        section.resize(600, 100)
        for button, text in (("#fcfcfc", "black"), ("#353535", "white")):
            palette = qt.QPalette(section.palette)
            palette.setColor(qt.QPalette.Button, qt.QColor(button))
            palette.setColor(qt.QPalette.Window, qt.QColor(button))
            palette.setColor(qt.QPalette.ButtonText, qt.QColor(text))
            section.palette = palette
            bar = section.grab().toImage().copy(0, 0, 600, section.contentsMargins().top())
            ink = qt.QColor(text).lightness()
            drawn = [
                x
                for x in range(2, 598)
                if any(abs(bar.pixelColor(x, y).lightness() - ink) < 120 for y in range(4, bar.height() - 4))
            ]
            assert drawn, f"nothing is drawn in {text} on {button}"
            assert max(drawn) < 100
            assert min(drawn) < 20

    def test_the_title_shows_whether_the_section_is_open(self, section):
        def bar():
            return section.grab().toImage().copy(0, 0, 40, 20)

        first = bar()
        section.collapsed = True
        assert bar() != first


class TestCollapsibleGroupBox:
    def test_folds_by_its_title(self, qt, ctk, show):
        box = ctk.ctkCollapsibleGroupBox("Segmentations")
        layout = qt.QVBoxLayout(box)
        row = qt.QCheckBox("row")
        layout.addWidget(row)
        show(box)
        height = box.sizeHint.height()
        assert row.visible
        box.collapsed = True
        assert not row.visible
        assert not box.checked
        assert box.maximumHeight < height
        box.checked = True
        assert row.visible
        assert row.enabled
        assert not box.collapsed

    def test_a_child_that_was_hidden_stays_hidden(self, qt, ctk, show):
        box = ctk.ctkCollapsibleGroupBox()
        layout = qt.QVBoxLayout(box)
        row = qt.QLabel("row")
        layout.addWidget(row)
        show(box)
        row.hide()
        box.collapsed = True
        box.collapsed = False
        assert not row.visible
