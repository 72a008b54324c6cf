"""How far bytes are from the numbers they stand for."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from fairlead_learning.train.bert.quantise import ROW_LIMIT, WEIGHT_LIMIT, Floats, quantise_rows

matrices = arrays(
    np.float32,
    array_shapes(min_dims=2, max_dims=2, max_side=20),
    elements=st.floats(-100, 100, width=32, allow_subnormal=False),
)


@given(matrices, st.sampled_from([WEIGHT_LIMIT, ROW_LIMIT]))
def test_no_number_is_off_by_more_than_half_a_step_of_its_row(matrix: Floats, limit: int) -> None:
    quantised = quantise_rows(matrix, limit)
    again = quantised.values.astype(np.float64) * quantised.scales[:, None]
    off = np.abs(again - matrix).max(axis=1)
    assert (off <= quantised.scales * 0.5001 + 1e-9).all()
    assert np.abs(quantised.values.astype(int)).max() <= limit


@given(matrices)
def test_rows_do_not_know_of_one_another(matrix: Floats) -> None:
    whole = quantise_rows(matrix, WEIGHT_LIMIT)
    for number, row in enumerate(matrix):
        alone = quantise_rows(row[None], WEIGHT_LIMIT)
        np.testing.assert_array_equal(alone.values[0], whole.values[number])


def test_a_row_of_zeros_stays_one() -> None:
    quantised = quantise_rows(np.zeros((1, 4), np.float32), WEIGHT_LIMIT)
    assert not quantised.values.any()
    assert quantised.scales[0] == 0


def test_two_products_fit_into_sixteen_bits() -> None:
    assert 2 * 255 * WEIGHT_LIMIT < 2**15
