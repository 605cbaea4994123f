import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recs.data.ids import as_id_type, codes, some_rows


@settings(deadline=None)
@given(st.lists(st.text(max_size=2), max_size=20))
def test_codes_agree_with_numpy_on_strings(ids):
    code, distinct = codes(np.array(ids, dtype=object))
    expected, inverse = np.unique(np.array(ids, dtype=object), return_inverse=True)
    assert distinct.tolist() == expected.tolist()
    assert code.tolist() == inverse.tolist()


@settings(deadline=None)
@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=20))
def test_integers_survive_the_way_to_strings_and_back(ids):
    numbers = np.array(ids, dtype=np.int64)
    text = as_id_type(numbers, "string", name="id", where="test")
    assert text.tolist() == [str(i) for i in ids]
    assert as_id_type(text, "int64", name="id", where="test").tolist() == ids


@pytest.mark.parametrize("text", ["007", "+7", " 7", "7.0", "", "x", "-0", "1_0", str(2**63)])
def test_a_string_that_is_not_exactly_a_number_is_refused(text):
    ids = np.array(["7", "8", text], dtype=object)
    message = "Column 'who' must hold whole numbers of 64 bits"
    with pytest.raises(ValueError, match=message) as caught:
        as_id_type(ids, "int64", name="who", where="log.csv")
    assert f"Received: {text!r} in row 2 (in log.csv). Use `id_type='string'`" in str(caught.value)


def test_rows_in_messages_are_few_and_counted():
    assert some_rows([3]) == "row 3"
    assert some_rows(np.array([3, 5])) == "rows 3, 5"
    assert some_rows(range(2000)) == "rows 0, 1, 2, 3, 4, ... (2,000 rows)"
