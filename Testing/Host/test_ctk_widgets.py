"""The widgets of CTK behave as the headers and the sources of CTK say."""

from __future__ import annotations

import os

import pytest
from PySide6.QtCore import QPoint
from PySide6.QtTest import QTest
from slicer_api_host.api_names import ctk as ctk_names


@pytest.fixture
def heard():
    """Give a list, and a way to write down the signals of a widget in it."""

    class Heard(list):
        def follow(self, widget, *signals):
            for signal in signals:
                name = signal.partition("(")[0]
                widget.connect(signal, lambda *values, name=name: self.append((name, *values)))

    return Heard()


def show(qt, widget):
    widget.show()
    qt.QApplication.processEvents()
    return widget


def press_key(qt, widget, text):
    QTest.keyClicks(widget, text)
    qt.QApplication.processEvents()


class TestEveryWidget:
    NAMES = sorted(ctk_names.NAMES)

    @pytest.mark.parametrize("name", NAMES)
    def test_can_be_made_shown_and_drawn(self, qt, ctk, slot_errors, name):
        widget = show(qt, getattr(ctk, name)())
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


class TestCollapsibleButton:
    @pytest.fixture
    def section(self, qt, ctk):
        section = ctk.ctkCollapsibleButton("Inputs")
        layout = qt.QFormLayout(section)
        for name in ("first", "second"):
            row = qt.QLineEdit()
            row.objectName = name
            layout.addRow(name, row)
        return show(qt, section)

    def test_is_a_checkable_button_that_is_checked_while_open(self, qt, section):
        assert isinstance(section, qt.QAbstractButton)
        assert section.text == "Inputs"
        assert (section.checkable, section.checked, section.collapsed) == (True, True, False)
        section.checked = False
        assert section.collapsed

    def test_folds_its_children_away_and_back(self, qt, section, heard):
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

    def test_a_section_that_starts_closed_opens(self, qt, ctk):
        section = ctk.ctkCollapsibleButton()
        layout = qt.QVBoxLayout(section)
        row, hidden = qt.QLabel("row"), qt.QLabel("hidden")
        hidden.hide()
        layout.addWidget(row)
        layout.addWidget(hidden)
        section.collapsed = True
        show(qt, section)
        assert not row.visible
        section.collapsed = False
        assert row.visible
        assert not hidden.visible

    def test_a_child_that_comes_later_follows(self, qt, section):
        section.collapsed = True
        late = qt.QLabel("late")
        section.layout().addRow(late)
        qt.QApplication.processEvents()
        assert not late.visible
        section.collapsed = False
        qt.QApplication.processEvents()
        assert late.visible

    def test_a_child_that_moves_away_follows_no_longer(self, qt, section):
        elsewhere = show(qt, qt.QWidget())
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
    def test_folds_by_its_title(self, qt, ctk):
        box = ctk.ctkCollapsibleGroupBox("Segmentations")
        layout = qt.QVBoxLayout(box)
        row = qt.QCheckBox("row")
        layout.addWidget(row)
        show(qt, box)
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

    def test_a_child_that_was_hidden_stays_hidden(self, qt, ctk):
        box = ctk.ctkCollapsibleGroupBox()
        layout = qt.QVBoxLayout(box)
        row = qt.QLabel("row")
        layout.addWidget(row)
        show(qt, box)
        row.hide()
        box.collapsed = True
        box.collapsed = False
        assert not row.visible


class TestSliderWidget:
    @pytest.fixture
    def slider(self, ctk):
        return ctk.ctkSliderWidget()

    def test_starts_as_in_ctk(self, slider):
        assert (slider.minimum, slider.maximum, slider.value) == (0.0, 99.99, 0.0)
        assert (slider.decimals, slider.singleStep, slider.pageStep) == (2, 1.0, 10.0)
        assert slider.tracking

    def test_a_new_value_is_announced_once(self, slider, heard):
        heard.follow(slider, "valueChanged(double)", "valueIsChanging(double)")
        slider.value = 7.5
        slider.setValue(7.5)
        assert slider.value == 7.5
        assert heard == [("valueChanged", 7.5)]

    def test_a_value_is_kept_exact_beyond_its_decimals(self, slider):
        slider.value = 1.23456
        assert slider.value == 1.23456

    def test_a_value_stays_in_the_range(self, slider, heard):
        slider.maximum = 5
        heard.follow(slider, "valueChanged(double)")
        slider.value = 9
        assert slider.value == 5.0
        slider.maximum = 3
        slider.minimum = 4
        assert (slider.minimum, slider.maximum, slider.value) == (4.0, 4.0, 4.0)
        assert heard == [("valueChanged", 5.0), ("valueChanged", 3.0), ("valueChanged", 4.0)]

    def test_a_range_far_above_the_former_one_moves_the_value_once(self, slider, heard):
        heard.follow(slider, "valueChanged(double)")
        slider.minimum = 500
        assert (slider.minimum, slider.maximum, slider.value) == (500.0, 500.0, 500.0)
        assert heard == [("valueChanged", 500.0)]

    def test_a_user_types_and_drags(self, qt, slider, heard):
        slider.singleStep = 0.5
        slider.maximum = 10
        show(qt, slider)
        heard.follow(slider, "valueChanged(double)")
        line = slider.findChildren(qt.QLineEdit)[0]
        line.selectAll()
        press_key(qt, line, "2.25")
        press_key(qt, line, "\r")
        assert slider.value == 2.25
        handle = slider.findChildren(qt.QSlider)[0]
        handle.setFocus()
        QTest.keyClick(handle, qt.Qt.Key_Right)
        assert slider.value % 0.5 == 0
        assert heard[-1] == ("valueChanged", slider.value)

    def test_a_step_larger_than_the_range_is_not_taken(self, slider):
        slider.maximum = 2
        slider.singleStep = 5
        assert slider.singleStep == 1.0

    def test_without_tracking_the_value_counts_when_the_handle_is_let_go(self, slider, heard, qt):
        slider.tracking = False
        heard.follow(slider, "valueChanged(double)", "valueIsChanging(double)")
        handle = slider.findChildren(qt.QSlider)[0]
        handle.setSliderDown(True)
        handle.setValue(3)
        handle.setValue(4)
        assert slider.value == 0.0
        assert heard == [("valueIsChanging", 3.0), ("valueIsChanging", 4.0)]
        handle.setSliderDown(False)
        assert slider.value == 4.0
        assert heard[-1] == ("valueChanged", 4.0)

    def test_texts_around_the_number_are_shown(self, slider):
        slider.suffix, slider.prefix = " mm", "~"
        assert (slider.suffix, slider.prefix) == (" mm", "~")

    def test_the_spin_box_can_be_hidden(self, qt, slider):
        show(qt, slider)
        slider.spinBoxVisible = False
        assert not slider.findChildren("ctkDoubleSpinBox")[0].visible
        assert not slider.spinBoxVisible

    def test_reset_means_zero(self, slider):
        slider.value = 7
        slider.reset()
        assert slider.value == 0.0

    @pytest.mark.parametrize("name", ["setMaximum", "setMinimum", "setRange", "setSingleStep", "setSuffix"])
    def test_what_is_no_slot_in_ctk_is_not_there(self, slider, name):
        with pytest.raises(AttributeError):
            getattr(slider, name)

    def test_decimals_are_announced(self, slider, heard):
        heard.follow(slider, "decimalsChanged(int)")
        slider.decimals = 3
        assert heard == [("decimalsChanged", 3)]


class TestDoubleSpinBox:
    def test_says_its_value_as_a_number_and_as_a_text(self, ctk, heard):
        box = ctk.ctkDoubleSpinBox()
        heard.follow(box, "valueChanged(double)", "valueChanged(QString)")
        box.value = 2.125
        assert box.value == 2.125
        assert sorted(heard, key=str) == [("valueChanged", "2.12"), ("valueChanged", 2.125)]

    def test_an_end_is_reached_exactly(self, ctk):
        box = ctk.ctkDoubleSpinBox()
        box.maximum = 1.0049
        box.value = 9
        assert box.value == 1.0049
        box.maximum = 0.5
        assert box.value == 0.5

    def test_steps(self, ctk):
        box = ctk.ctkDoubleSpinBox()
        box.singleStep = 0.25
        box.stepUp()
        box.stepUp()
        box.stepDown()
        assert box.value == 0.25

    def test_more_decimals_bring_the_exact_value_back(self, ctk):
        box = ctk.ctkDoubleSpinBox()
        box.value = 0.123
        assert box.cleanText == "0.12"
        box.setDecimals(3)
        assert box.cleanText == "0.123"


class TestDoubleSlider:
    def test_dragging_moves_by_steps_and_setting_does_not(self, ctk, heard, qt):
        slider = ctk.ctkDoubleSlider(qt.Qt.Horizontal)
        slider.maximum, slider.singleStep = 1.0, 0.1
        heard.follow(slider, "valueChanged(double)")
        slider.value = 0.123
        assert slider.value == 0.123
        slider.findChildren(qt.QSlider)[0].setValue(7)
        assert slider.value == pytest.approx(0.7)
        assert [name for name, _ in heard] == ["valueChanged"] * 2

    def test_the_ends_can_be_reached_by_dragging(self, ctk, qt):
        slider = ctk.ctkDoubleSlider(qt.Qt.Horizontal)
        slider.minimum, slider.maximum = -0.5, 2.4
        handle = slider.findChildren(qt.QSlider)[0]
        handle.setValue(handle.maximum)
        assert slider.value == 2.4
        handle.setValue(handle.minimum)
        assert slider.value == -0.5

    def test_an_endless_range_is_bearable(self, ctk):
        slider = ctk.ctkDoubleSlider()
        slider.minimum, slider.maximum = float("-inf"), float("inf")
        slider.value = 12.0
        assert slider.value == 12.0


@pytest.mark.parametrize("name", ["ctkRangeWidget", "ctkDoubleRangeSlider"])
class TestRanges:
    @pytest.fixture
    def widget(self, ctk, name):
        return getattr(ctk, name)()

    def test_two_values_are_announced_each_and_together(self, widget, heard):
        heard.follow(
            widget, "minimumValueChanged(double)", "maximumValueChanged(double)", "valuesChanged(double,double)"
        )
        widget.setValues(10, 20)
        assert (widget.minimumValue, widget.maximumValue) == (10.0, 20.0)
        assert sorted(heard) == [
            ("maximumValueChanged", 20.0),
            ("minimumValueChanged", 10.0),
            ("valuesChanged", 10.0, 20.0),
        ]
        heard.clear()
        widget.maximumValue = 30
        assert heard == [("maximumValueChanged", 30.0), ("valuesChanged", 10.0, 30.0)]

    def test_values_stay_in_order_and_in_the_range(self, widget):
        widget.setValues(10, 20)
        widget.minimumValue = 25
        assert (widget.minimumValue, widget.maximumValue) == (25.0, 25.0)
        widget.maximumValue = 500
        assert widget.maximumValue == 99.0
        widget.setRange(0, 5)
        assert (widget.minimumValue, widget.maximumValue) == (5.0, 5.0)

    def test_a_range_is_announced(self, widget, heard):
        heard.follow(widget, "rangeChanged(double,double)")
        widget.setRange(-1, 120)
        assert (widget.minimum, widget.maximum) == (-1.0, 120.0)
        assert heard[-1] == ("rangeChanged", -1.0, 120.0)

    def test_a_user_drags_the_nearer_handle(self, qt, widget, name):
        show(qt, widget)
        widget.resize(400, 30)
        qt.QApplication.processEvents()
        slider = widget if name == "ctkDoubleRangeSlider" else widget.findChildren("ctkDoubleRangeSlider")[0]
        widget.setValues(20, 80)
        at = slider.width // 3
        QTest.mousePress(slider, qt.Qt.LeftButton, qt.Qt.NoModifier, QPoint(int(slider.width * 0.21), 8))
        QTest.mouseMove(slider, QPoint(at, 8))
        QTest.mouseRelease(slider, qt.Qt.LeftButton, qt.Qt.NoModifier, QPoint(at, 8))
        assert 28 < widget.minimumValue < 38
        assert widget.maximumValue == 80.0


class TestRangeWidget:
    def test_a_user_types(self, qt, ctk):
        widget = show(qt, ctk.ctkRangeWidget())
        line = widget.findChildren(qt.QLineEdit)[0]
        line.selectAll()
        press_key(qt, line, "12.5\r")
        assert (widget.minimumValue, widget.maximumValue) == (12.5, 99.0)

    def test_decimals_and_texts_are_those_of_both_numbers(self, qt, ctk):
        widget = ctk.ctkRangeWidget()
        widget.decimals, widget.suffix = 1, " mm"
        assert {box.suffix for box in widget.findChildren(qt.QDoubleSpinBox)} == {" mm"}
        assert {box.decimals for box in widget.findChildren(qt.QDoubleSpinBox)} == {1}


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
    def test_a_folder_is_absolute_and_announced(self, ctk, heard, tmp_path, qt):
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

    def test_the_color_is_shown(self, ctk, qt):
        button = show(qt, ctk.ctkColorPickerButton())
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
    def test_shows_its_default_text_while_nothing_is_chosen(self, ctk, qt):
        box = ctk.ctkComboBox()
        box.addItem("WWWWWWWWWWWW")
        box.currentIndex = -1
        show(qt, box)
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

    def test_a_click_on_the_box_is_no_click_on_the_button(self, ctk, qt, heard):
        button = show(qt, ctk.ctkCheckablePushButton("Live"))
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

    def test_a_longer_text_is_higher(self, ctk, qt):
        browser = show(qt, ctk.ctkFittedTextBrowser())
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


def test_a_picture_of_a_widget_is_taken(ctk, qt):
    widget = show(qt, qt.QLabel("picture"))
    widget.resize(80, 40)
    assert ctk.ctkWidgetsUtils.grabWidget(widget).width() == 80
    assert ctk.ctkWidgetsUtils.grabWidget(widget, qt.QRect(0, 0, 10, 5)).height() == 5
