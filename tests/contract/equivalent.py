"""Errors in the formulations that change no answer, each with the argument why; `mutants` reads it.

A key is the module, the function and the change, and the number of the change if the function has it again.
"""

EQUIVALENT = {
    "city/commuting_numbers.py _circle.cost: lengths.sum() / 2 * (1 - 1e-15) → lengths.sum() / 2 / (1 - "
    "1e-15)":
        "The weighted median is the first point whose weight reaches a half; the factor, one to "
        "rounding, only decides between two neighbours where a half is reached exactly, and there Σ ℓ "
        "|F − c| is the same at both.",
    "city/complementarity.py add_city_complementarity: 1e-06 * pyo.quicksum((block.rent[cell] for cell "
    "in block.cells)) → 2e-06 * pyo.quicksum((block.rent[cell] for cell in block.cells))":
        "The sum of rents selects the lowest among prices that differ by a common level; any positive "
        "multiple of it has the same minimum.",
    "city/lattice.py add_lattice_production: pyo.Var(block.pairs, bounds=(0, 4), initialize=0.0, "
    "doc='s_ij = (u_i − u_j)² on the lattice') → pyo.Var(block.pairs, initialize=0.0, doc='s_ij = (u_i − "
    "u_j)² on the lattice')":
        "The rows s ≥ |u_i − u_j| imply s ≥ 0; s has a negative coefficient in what is maximised, so it "
        "stands on one of its rows, and |u_i − u_j| ≤ 2 makes these at most 4.",
    "city/network_kernels.py _lanczos: kernel.shape[0] → kernel.shape[1]":
        "A kernel is square: it has as many columns as rows.",
    "city/network_kernels.py cartesian_factors: whole.max() → whole.min()":
        "The least entry of a sparse matrix is zero, so that lengths must be equal exactly; where they "
        "are only so to rounding, the product is computed from the truncated kernel, the same numbers "
        "up to its cutoff of 1e-12.",
    "city/smooth_commuting.py SmoothCommuting._tree: tails[e] == parent → tails[e] >= parent":
        "A link is kept from its lower to its higher end, so that its tail is the parent or a child "
        "with a lower number: it is never above the parent.",
    "city/smooth_commuting.py SmoothCommuting._circulation: last / 4 → last / 8":
        "It decides when steps whose promise is below the cost's rounding end; one more or one fewer of them "
        "moves the circulation by less than its rounding.",
    "city/spillovers.py _: variables[0] → variables[1]":
        "The variable is multiplied by zero, only so that a level that is a number becomes an "
        "expression.",
    "marketplaces/market_equilibrium.py solve_market.step: 3.0 / "
    "max(float(np.abs(move[:-1]).max(initial=0.0)), 3.0) → 6.0 / "
    "max(float(np.abs(move[:-1]).max(initial=0.0)), 3.0)":
        "How long a step in logs may be: it decides the path and not its end, since Newton's method "
        "halves a step until the largest gap falls and ends where the equations hold.",
    "marketplaces/market_equilibrium.py _bracketed: 2.0 ** np.arange(7) → 2.0 ** (np.arange(7) + 1) "
    "(2)":
        "It sets how far out the upper end of the bracket is looked for; the root within, found to 1e-15, is "
        "the same from a wider bracket.",
    "marketplaces/market_equilibrium.py add_median_choice: pyo.Var(block.locations, bounds=(0.0, None), "
    "doc='y_c') → pyo.Var(block.locations, doc='y_c')":
        "The rows x_cj ≤ y_c with x_cj ≥ 0 already keep y_c from being negative.",
    "marketplaces/preferences.py ConstantElasticity.head_price: 4.0 ** np.arange(21) → 4.0 ** "
    "(np.arange(21) + 1)":
        "How far the lower end of the bracket is pushed at first; the number of people falls in the "
        "head price, so that there is one root between the ends, and it is found to rounding.",
    "marketplaces/preferences.py ConstantElasticity.utility_for_land_value.excess: -(rents / "
    "np.where(rents > 0, share, 1.0)).sum(axis=-1) → (rents / np.where(rents > 0, share, "
    "1.0)).sum(axis=-1)":
        "The root does not depend on the slope: one that is not negative is taken as −1, and a step "
        "that leaves the bracket, which is kept by the sign of the function alone, or shrinks it too "
        "little, is replaced by its middle.",
    "migration/kernels.py _set_row: -1.0 → 1.0":
        "The slack z is free and zero at an equilibrium by Walras' law; with the other sign it is −z, "
        "zero as well.",
    "migration/mean_field_numbers.py backward_values: max(1.0, float(np.abs(trial).max())) → min(1.0, "
    "float(np.abs(trial).max()))":
        "It scales the tolerance of Newton's method, whose last step squares the error: at worst one "
        "more step is taken before the same values are returned.",
    "migration/myopic.py add_gradient_migration.positive: SMOOTHING ** 2 → SMOOTHING ** 3":
        "The smoothing keeps a slope where a velocity is zero; it moves a flux by at most ε/2, and ε is "
        "1e-9 or, with this error, 3e-14.",
    "sectors/reallocation_numbers.py Reallocation.speeds: slope ** 2 → slope ** 3":
        "Where there is a fixed cost the equation of motion is refused, and speeds only guess how fast "
        "rates change in the first step of a path with chosen steps, which is shortened if it was too "
        "long.",
}  # fmt: skip
