"""Each widget of CTK can be used; those without a file of their own do what CTK says."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint
from PySide6.QtTest import QTest
from slicer_api_host.api_names import ctk as ctk_names


class TestEveryWidget:
    NAMES = sorted(ctk_names.NAMES)

    @pytest.mark.parametrize("name", NAMES)
    def test_can_be_made_shown_and_drawn(self, ctk, slot_errors, name, show):
        widget = show(getattr(ctk, name)())
        assert widget.className() == name
        assert not widget.grab().toImage().isNull()
        widget.close()
        assert slot_errors == []

    @pytest.mark.parametrize("name", NAMES)
    def test_takes_a_parent(self, qt, ctk, name):
        parent = qt.QWidget()
        assert getattr(ctk, name)(parent).parent() is parent

    @pytest.mark.parametrize("name", NAMES)
    def test_starts_without_a_value_that_is_not_its_own(self, ctk, name):
        first, second = getattr(ctk, name)(), getattr(ctk, name)()
        properties = [first.metaObject().property(i) for i in range(first.metaObject().propertyCount())]
        own = [p.name() for p in properties if p.isWritable() and p.typeName() in ("int", "double", "QString", "bool")]
        assert {p: getattr(first, p) for p in own} == {p: getattr(second, p) for p in own}


class TestColorPickerButton:
    def test_a_color_is_kept_and_announced_once(self, ctk, qt, heard):
        button = ctk.ctkColorPickerButton()
        heard.follow(button, "colorChanged(QColor)")
        assert button.color == qt.QColor(0, 0, 0)
        button.color = qt.QColor(255, 0, 0)
        button.setColor(qt.QColor(255, 0, 0))
        assert button.color == qt.QColor(255, 0, 0)
        assert [color.name() for _, color in heard] == ["#ff0000"]

    def test_a_color_of_a_python_class_is_taken(self, ctk, qt):
        class Named(qt.QColor):
            pass

        button = ctk.ctkColorPickerButton()
        button.color = Named(1, 2, 3)
        assert button.color == qt.QColor(1, 2, 3)

    def test_a_name_is_no_color(self, ctk):
        button = ctk.ctkColorPickerButton()
        with pytest.raises(AttributeError, match="does not accept"):
            button.color = "red"

    def test_the_color_is_shown(self, ctk, qt, show):
        button = show(ctk.ctkColorPickerButton())
        button.displayColorName = False
        button.color = qt.QColor(255, 0, 0)
        picture = button.grab().toImage()
        colors = {picture.pixelColor(x, picture.height() // 2).name() for x in range(picture.width())}
        assert "#ff0000" in colors

    def test_a_click_asks_for_a_color(self, ctk, qt, monkeypatch):
        button = ctk.ctkColorPickerButton()
        monkeypatch.setattr(qt.QColorDialog, "getColor", lambda *_arguments: qt.QColor(0, 0, 255))
        button.click()
        assert button.color == qt.QColor(0, 0, 255)
        assert not button.checked


class TestComboBox:
    def test_shows_its_default_text_while_nothing_is_chosen(self, ctk, show):
        box = ctk.ctkComboBox()
        box.addItem("WWWWWWWWWWWW")
        box.currentIndex = -1
        show(box)
        empty = box.grab().toImage()
        box.defaultText = "Select a volume"
        assert box.grab().toImage() != empty

    def test_is_chosen_by_its_data(self, ctk):
        box = ctk.ctkComboBox()
        box.addItem("Automatic", "auto")
        box.addItem("Two", 2)
        box.currentUserDataAsString = "auto"
        assert box.currentText == "Automatic"
        box.currentIndex = 1
        assert box.currentUserDataAsString == "2"


class TestCheckablePushButton:
    def test_its_check_box_makes_it_checkable(self, ctk, qt, heard):
        button = ctk.ctkCheckablePushButton("Live")
        heard.follow(button, "checkBoxToggled(bool)")
        assert not button.checkable
        button.checkState = qt.Qt.Checked
        assert button.checkable
        assert heard == [("checkBoxToggled", True)]

    def test_a_click_on_the_box_is_no_click_on_the_button(self, ctk, qt, heard, show):
        button = show(ctk.ctkCheckablePushButton("Live"))
        button.resize(200, 30)
        heard.follow(button, "clicked()", "checkBoxToggled(bool)")
        QTest.mouseClick(button, qt.Qt.LeftButton, qt.Qt.NoModifier, QPoint(12, 15))
        assert heard == [("checkBoxToggled", True)]
        QTest.mouseClick(button, qt.Qt.LeftButton, qt.Qt.NoModifier, QPoint(100, 15))
        assert heard[1:] == [("clicked",)]

    def test_a_box_of_its_own_leaves_the_button_alone(self, ctk, qt):
        button = ctk.ctkCheckablePushButton()
        button.checkBoxControlsButton = False
        button.checkState = qt.Qt.Checked
        assert not button.checkable


class TestTexts:
    def test_a_text_folds_after_its_first_line(self, ctk, qt):
        browser = ctk.ctkFittedTextBrowser()
        browser.setCollapsibleText("First\nsecond\nthird")
        assert browser.collapsibleText() == "First\nsecond\nthird"
        assert "second" not in browser.toPlainText()
        browser.anchorClicked.emit(qt.QUrl("#show_details"))
        assert not browser.collapsed
        assert "third" in browser.toPlainText()
        browser.collapsed = True
        assert "second" not in browser.toPlainText()

    def test_a_longer_text_is_higher(self, ctk, show):
        browser = show(ctk.ctkFittedTextBrowser())
        browser.resize(200, 50)
        browser.setPlainText("one")
        short = browser.sizeHint.height()
        browser.setPlainText("one " * 200)
        assert browser.sizeHint.height() > 3 * short

    def test_a_message_is_not_shown_again_where_that_was_ticked(self, ctk, qt):
        def ask():
            box = ctk.ctkMessageBox()
            box.text = "Install?"
            box.standardButtons = qt.QMessageBox.Ok | qt.QMessageBox.Cancel
            box.dontShowAgainSettingsKey = "Tested/DontAsk"
            return box

        qt.QSettings().remove("Tested/DontAsk")
        first = ask()
        assert first.dontShowAgainVisible
        assert not first.dontShowAgain
        first.dontShowAgain = True
        qt.QTimer.singleShot(0, first.button(qt.QMessageBox.Ok).click)
        assert first.exec_() == qt.QMessageBox.Ok
        again = ask()
        assert again.dontShowAgain
        assert again.exec_() == qt.QMessageBox.Ok  # nobody clicks here
        qt.QSettings().remove("Tested/DontAsk")

    def test_a_refusal_is_not_remembered(self, ctk, qt):
        box = ctk.ctkMessageBox()
        box.standardButtons = qt.QMessageBox.Ok | qt.QMessageBox.Cancel
        box.dontShowAgainSettingsKey = "Tested/Refused"
        box.dontShowAgain = True
        qt.QTimer.singleShot(0, box.button(qt.QMessageBox.Cancel).click)
        box.exec_()
        assert not qt.QSettings().contains("Tested/Refused")


def test_a_picture_of_a_widget_is_taken(ctk, qt, show):
    widget = show(qt.QLabel("picture"))
    widget.resize(80, 40)
    assert ctk.ctkWidgetsUtils.grabWidget(widget).width() == 80
    assert ctk.ctkWidgetsUtils.grabWidget(widget, qt.QRect(0, 0, 10, 5)).height() == 5
