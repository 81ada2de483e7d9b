"""What is filled into a form and what readers wrote on a page is part of its text."""

from tests.workers.parsing.making import texts
from tests.workers.parsing.pdf.drawing import Page, read

BOX = (150, 690, 300, 710)


def test_the_value_of_a_text_field_is_read() -> None:
    page = Page().text(72, 695, "First name").fill_in("Tx", "/T(a)/TU(First name)/V(Marguerite)", BOX)
    assert "Marguerite" in " ".join(texts(read(page)))


def test_a_form_has_no_note_for_what_is_read() -> None:
    assert read(Page().text(72, 695, "Name").fill_in("Tx", "/T(a)/V(Ann)", BOX)).notes == ()


def test_boxes_say_whether_they_are_ticked() -> None:
    page = Page().fill_in("Btn", "/T(a)/TU(I agree)/V/Yes/AS/Yes/AP<</N<</Yes null/Off null>>>>", BOX)
    page.fill_in("Btn", "/T(b)/TU(By post)/V/Off/AS/Off/AP<</N<</Yes null/Off null>>>>", (150, 650, 160, 660))
    assert texts(read(page)) == ["[x] I agree", "[ ] By post"]


def test_a_choice_is_read_as_the_reader_sees_it() -> None:
    page = Page().fill_in("Ch", "/Ff 131072/T(a)/TU(Size)/Opt[[(s)(Small)][(l)(Large)]]/V(l)", BOX)
    assert texts(read(page)) == ["Size: Large"]


def test_a_password_and_a_hidden_field_stay_out() -> None:
    page = Page().text(72, 700, "Text").fill_in("Tx", "/Ff 8192/T(a)/V(hunter2)", BOX)
    page.fields.append("<</Type/Annot/Subtype/Widget/F 2/FT/Tx/T(b)/V(unseen)/Rect[1 1 9 9]>>")
    assert texts(read(page)) == ["Text"]


def test_comments_are_read_with_their_author_and_their_windows_are_not() -> None:
    page = Page().text(72, 700, "Text").comment("/Contents(Check this)/T(Ann)").comment("/Contents(And this)")
    page.comment("/Contents(Check this)", subtype="Popup").comment("/Contents(a link)", subtype="Link")
    assert texts(read(page)) == ["Text", "Comment by Ann: Check this", "Comment: And this"]


def test_a_signature_that_was_given_is_noted_and_a_field_for_one_is_not() -> None:
    page = Page().text(72, 700, "Signed:").fill_in("Sig", "/T(a)", (200, 600, 300, 620))
    assert read(page).notes == ()
    page.fill_in("Sig", "/T(b)/V<</Type/Sig/Name(Ann)/Contents<3030>/ByteRange[0 1 2 3]>>", (200, 640, 300, 660))
    assert read(page).notes == ("1 digital signature left out",)
