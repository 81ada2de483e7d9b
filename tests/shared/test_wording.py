import pytest

from embedmill.shared.configuration import load_settings
from embedmill.shared.errors import SettingsError
from embedmill.shared.wording import reword


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("Input should be a valid integer, unable to parse string as an integer", "must be a whole number"),
        ("Input should be a valid number, unable to parse string as a number", "must be a number"),
        ("Input should be a valid boolean, unable to interpret input", "must be true or false"),
        ("Input should be greater than or equal to 1", "must be at least 1"),
        ("Input should be less than or equal to 256", "must be at most 256"),
        ("Input should be greater than 0.2", "must be more than 0.2"),
        ("Value error, only Redis is taken: redis://", "only Redis is taken: redis://"),
        ("Extra inputs are not permitted", "is no setting"),
    ],
)
def test_a_complaint_is_in_our_words(theirs: str, ours: str) -> None:
    assert reword(theirs) == ours


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("EMBEDMILL_WORKERS", "many", "EMBEDMILL_WORKERS must be a whole number"),
        ("EMBEDMILL_ALLOW_UNPRICED", "perhaps", "EMBEDMILL_ALLOW_UNPRICED must be true or false"),
        ("EMBEDMILL_LIMITS", "{not json", "EMBEDMILL_LIMITS is no JSON"),
        ("EMBEDMILL_LIMITS", '{"openai": {"rpx": 5}}', "EMBEDMILL_LIMITS openai.rpx must be 'rpm'"),
    ],
)
def test_a_wrong_setting_is_named_as_its_user_wrote_it(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=message):
        load_settings()
