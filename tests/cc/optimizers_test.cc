// The rules against the formulas of their papers, as Keras writes them, in double.
#include "optimizers/row_optimizer.h"

#include "kernels_here.h"
#include "support.h"

namespace recs::testing {
namespace {

constexpr int kDim = 19;  // no multiple of a vector's width
constexpr int kSteps = 10;

// What a formula knows of one element; `slot` in the order of the optimizer's header.
struct Naive {
  double w = 0.3;
  double slot[3] = {0.0, 0.0, 0.0};
};

struct Rule {
  std::string name;
  std::vector<float> parameters;
  double tolerance = 3e-6;
  double weight_decay = 0.0;
};

// Updates a row `kSteps` times beside a formula, `rule(elements, gradients, t)` with t from one.
// Returns the row.
template <class Formula>
std::vector<float> UpdatedRow(const Rule& rule, Formula formula) {
  Random random(rule.name.size());
  std::vector<Naive> naive(kDim);
  std::vector<float> w(kDim, 0.3f), slots(3 * kDim + 3), g(kDim);
  for (int step = 0; step < kSteps; ++step) {
    std::unique_ptr<RowOptimizer> optimizer;
    const OptimizerSpec spec{rule.name, rule.parameters, 0.1f, step, float(rule.weight_decay)};
    CHECK(MakeRowOptimizer(spec, &optimizer).ok());
    const int used = optimizer->slots() * kDim + optimizer->scalars();
    if (step == 0) {
      for (int s = 0; s < optimizer->slots(); ++s) {
        std::fill_n(slots.begin() + s * kDim, kDim, optimizer->initial_slot_value(s));
        for (Naive& one : naive) one.slot[s] = optimizer->initial_slot_value(s);
      }
      for (int s = 0; s < optimizer->scalars(); ++s) {
        slots[optimizer->slots() * kDim + s] = optimizer->initial_scalar_value(s);
      }
      slots[used] = 77.0f;  // no rule writes behind its slots
    }
    std::vector<double> exact(kDim);
    for (int j = 0; j < kDim; ++j) {
      exact[j] = g[j] = random.Unit() * 2 - 1;
      naive[j].w -= naive[j].w * rule.weight_decay * 0.1;
    }
    formula(naive, exact, step + 1);
    optimizer->Update(g.data(), w.data(), slots.data(), kDim);
    for (int j = 0; j < kDim; ++j) CHECK_NEAR(w[j], naive[j].w, rule.tolerance);
    CHECK_EQ(slots[used], 77.0f);
  }
  return w;
}

// With every instruction set: the formula's values, and the same bits.
template <class Formula>
void CheckRow(const Rule& rule, Formula formula) {
  std::vector<float> portable;
  for (KernelPath path : PathsHere()) {
    OnPath on(path);
    note = rule.name + " " + NameOf(path);
    const std::vector<float> row = UpdatedRow(rule, formula);
    if (portable.empty()) portable = row;
    CHECK(row == portable);
  }
}

// The same for formulas that do not look at the rest of the row, without and with weight decay.
template <class Formula>
void CheckRule(Rule rule, Formula formula) {
  for (double weight_decay : {0.0, 0.5}) {
    rule.weight_decay = weight_decay;
    CheckRow(rule, [&](std::vector<Naive>& row, const std::vector<double>& g, int t) {
      for (size_t j = 0; j < row.size(); ++j) formula(row[j], g[j], t);
    });
  }
}

// 1 - 0.999^t is known to 6e-5 of itself in single precision when t is small.
constexpr double kCorrected = 1e-5;

TEST(SgdFollowsItsFormulas) {
  CheckRule({"sgd", {0.0f, 0.0f}}, [](Naive& x, double g, int) { x.w -= 0.1 * g; });
  CheckRule({"sgd", {0.0f, 1.0f}}, [](Naive& x, double g, int) { x.w -= 0.1 * g; });
  CheckRule({"sgd", {0.9f, 0.0f}}, [](Naive& x, double g, int) {
    x.slot[0] = 0.9 * x.slot[0] - 0.1 * g;
    x.w += x.slot[0];
  });
  CheckRule({"sgd", {0.9f, 1.0f}}, [](Naive& x, double g, int) {
    x.slot[0] = 0.9 * x.slot[0] - 0.1 * g;
    x.w += 0.9 * x.slot[0] - 0.1 * g;
  });
}

void AdagradStep(Naive& x, double g) {
  x.slot[0] += g * g;
  x.w -= 0.1 * g / std::sqrt(x.slot[0] + 1e-7);
}

TEST(AdagradFollowsItsFormula) {
  CheckRule({"adagrad", {0.1f, 1e-7f}}, [](Naive& x, double g, int) { AdagradStep(x, g); });
}

TEST(AdagradDecayFollowsItsFormula) {
  CheckRule({"adagrad_decay", {0.1f, 1e-7f, 3.0f, 0.25f}}, [](Naive& x, double g, int t) {
    if (t > 1 && (t - 1) % 3 == 0) x.slot[0] = std::max(0.25 * x.slot[0], 0.1);
    AdagradStep(x, g);
  });
}

TEST(RowwiseAdagradFollowsItsFormula) {
  double a = 0.1;
  CheckRow({"rowwise_adagrad", {0.1f, 1e-8f}},
           [a](std::vector<Naive>& row, const std::vector<double>& g, int) mutable {
             double squares = 0.0;
             for (double one : g) squares += one * one;
             a += squares / kDim;
             for (int j = 0; j < kDim; ++j) row[j].w -= 0.1 * g[j] / (std::sqrt(a) + 1e-8);
           });
}

void Moments(Naive& x, double g) {
  x.slot[0] = 0.9 * x.slot[0] + 0.1 * g;
  x.slot[1] = 0.999 * x.slot[1] + 0.001 * g * g;
}

void AdamMove(Naive& x, double v, int t) {
  const double alpha = 0.1 * std::sqrt(1 - std::pow(0.999, t)) / (1 - std::pow(0.9, t));
  x.w -= alpha * x.slot[0] / (std::sqrt(v) + 1e-7);
}

TEST(AdamFollowsItsFormula) {
  const std::vector<float> constants = {0.9f, 0.999f, 0.1f, 0.001f, 1e-7f};
  const auto adam = [](Naive& x, double g, int t) {
    Moments(x, g);
    AdamMove(x, x.slot[1], t);
  };
  CheckRule({"adam", constants, kCorrected}, adam);
  CheckRule({"amsgrad", constants, kCorrected}, [](Naive& x, double g, int t) {
    Moments(x, g);
    x.slot[2] = std::max(x.slot[2], x.slot[1]);
    AdamMove(x, x.slot[2], t);
  });
  // A row of every step is Adam's, whatever is done for rows that miss some.
  for (float decays : {0.0f, 1.0f}) {
    for (float by_row : {0.0f, 1.0f}) {
      std::vector<float> parameters = constants;
      parameters.insert(parameters.end(), {decays, by_row});
      CheckRule({"lazy_adam", parameters, kCorrected}, adam);
    }
  }
}

TEST(AdamaxFollowsItsFormula) {
  CheckRule({"adamax", {0.9f, 0.1f, 0.999f, 1e-7f}}, [](Naive& x, double g, int t) {
    x.slot[0] = 0.9 * x.slot[0] + 0.1 * g;
    x.slot[1] = std::max(0.999 * x.slot[1], std::abs(g));
    x.w -= 0.1 / (1 - std::pow(0.9, t)) * x.slot[0] / (x.slot[1] + 1e-7);
  });
}

TEST(NadamFollowsItsFormula) {
  CheckRule({"nadam", {0.9f, 0.999f, 1e-7f}, kCorrected}, [](Naive& x, double g, int t) {
    const auto factor = [](int i) { return 0.9 * (1 - 0.5 * std::pow(0.96, i)); };
    double product = 1.0;
    for (int i = 1; i <= t; ++i) product *= factor(i);
    Moments(x, g);
    const double ahead = factor(t + 1) * x.slot[0] / (1 - product * factor(t + 1)) +
                         (1 - factor(t)) * g / (1 - product);
    const double v_hat = x.slot[1] / (1 - std::pow(0.999, t));
    x.w -= 0.1 * ahead / (std::sqrt(v_hat) + 1e-7);
  });
}

// Long after the start every factor is beta_1 / 2 (2 - 0.96^i) = 0.9999 and the product small but
// there; it must neither take a time that grows with the step nor be wrong.
TEST(NadamKnowsItsProductLateInTraining) {
  const int64_t steps = 20'000;
  std::unique_ptr<RowOptimizer> optimizer;
  CHECK(MakeRowOptimizer({"nadam", {0.9999f, 0.999f, 1e-7f}, 0.1f, steps - 1}, &optimizer).ok());
  const double beta_1 = 0.9999f;
  double product = 1.0;
  for (int64_t i = 1; i <= steps; ++i) product *= beta_1 * (1 - 0.5 * std::pow(0.96, i));
  CHECK(product > 1e-7);
  float g = 0.5f, w = 0.3f, slots[2] = {0.7f, 0.25f};
  const double m = 0.7 + (1.0f - 0.9999f) * (0.5 - 0.7);
  const double v = 0.25;
  const double ahead = beta_1 * m / (1 - product * beta_1) + (1 - beta_1) * 0.5 / (1 - product);
  optimizer->Update(&g, &w, slots, 1);
  CHECK_NEAR(w, 0.3 - 0.1 * ahead / std::sqrt(v), 1e-6);
}

TEST(AdadeltaFollowsItsFormula) {
  CheckRule({"adadelta", {0.95f, 0.05f, 1e-2f}}, [](Naive& x, double g, int) {
    x.slot[0] = 0.95 * x.slot[0] + 0.05 * g * g;
    const double change = -std::sqrt((x.slot[1] + 1e-2) / (x.slot[0] + 1e-2)) * g;
    x.slot[1] = 0.95 * x.slot[1] + 0.05 * change * change;
    x.w += 0.1 * change;
  });
}

TEST(RmspropFollowsItsFormulas) {
  for (const bool centered : {false, true}) {
    for (const float momentum : {0.0f, 0.8f}) {
      const std::string name = centered ? "centered_rmsprop" : "rmsprop";
      CheckRule({name, {0.9f, 0.1f, momentum, 1e-4f}}, [&](Naive& x, double g, int) {
        x.slot[0] = 0.9 * x.slot[0] + 0.1 * g * g;
        double spread = x.slot[0];
        if (centered) {
          x.slot[1] = 0.9 * x.slot[1] + 0.1 * g;
          spread -= x.slot[1] * x.slot[1];
        }
        double& m = x.slot[centered ? 2 : 1];
        m = double{momentum} * m + 0.1 * g / std::sqrt(spread + 1e-4);
        x.w -= m;
      });
    }
  }
}

// Leaves what l1 leaves of z in slot 2, and returns the divisor.
double FtrlStep(Naive& x, double g, double power, double l2_shrinkage, double beta) {
  const double before = x.slot[0];
  x.slot[0] += g * g;
  const double now = std::pow(x.slot[0], power);
  x.slot[1] += g + 2 * l2_shrinkage * x.w - (now - std::pow(before, power)) / 0.1 * x.w;
  const double l1 = 0.2, z = x.slot[1];
  x.slot[2] = z > l1 ? z - l1 : z < -l1 ? z + l1 : 0.0;
  return (beta + now) / 0.1 + 2 * 0.1;
}

TEST(FtrlFollowsItsFormula) {
  for (const float power : {-0.5f, -0.7f, 0.0f}) {
    CheckRule({"ftrl", {power, 0.1f, 0.2f, 0.1f, 0.05f, 0.3f}}, [&](Naive& x, double g, int) {
      const double divisor = FtrlStep(x, g, -double{power}, 0.05, 0.3);
      x.w = -x.slot[2] / divisor;
    });
  }
}

TEST(GroupFtrlFollowsItsFormula) {
  for (const float l21 : {0.0f, 0.3f, 5.0f}) {
    CheckRow({"group_ftrl", {-0.5f, 0.1f, 0.2f, 0.1f, 0.0f, 0.0f, l21}},
             [&](std::vector<Naive>& row, const std::vector<double>& g, int) {
               double squares = 0.0, divisors[kDim];
               for (int j = 0; j < kDim; ++j) {
                 divisors[j] = FtrlStep(row[j], g[j], 0.5, 0.0, 0.0);
                 squares += row[j].slot[2] * row[j].slot[2];
               }
               const double limit = std::sqrt(double{kDim}) * double{l21};
               const double left = std::max(0.0, 1.0 - limit / std::sqrt(squares));
               for (int j = 0; j < kDim; ++j) row[j].w = -left * row[j].slot[2] / divisors[j];
             });
  }
}

// The norm of a wide row is taken in blocks.
TEST(GroupFtrlTakesTheNormOfTheWholeRow) {
  constexpr int kWide = 200;
  std::vector<float> g(kWide, 0.5f), w(kWide), slots(2 * kWide, 0.0f);
  std::fill_n(slots.begin(), kWide, 0.1f);
  for (const float l21 : {0.49f, 0.51f}) {  // of a row whose elements all are 0.5
    std::unique_ptr<RowOptimizer> optimizer;
    const OptimizerSpec spec{"group_ftrl", {-0.5f, 0.1f, 0.0f, 0.0f, 0.0f, 0.0f, l21}, 0.1f, 0};
    CHECK(MakeRowOptimizer(spec, &optimizer).ok());
    std::fill(w.begin(), w.end(), 0.0f);
    std::fill(slots.begin() + kWide, slots.end(), 0.0f);
    optimizer->Update(g.data(), w.data(), slots.data(), kWide);
    for (float one : w) CHECK_EQ(one != 0.0f, l21 < 0.5f);
  }
}

TEST(LionFollowsItsFormula) {
  CheckRule({"lion", {0.9f, 0.99f}}, [](Naive& x, double g, int) {
    const double direction = 0.9 * x.slot[0] + 0.1 * g;
    x.w -= direction > 0 ? 0.1 : direction < 0 ? -0.1 : 0.0;
    x.slot[0] = 0.99 * x.slot[0] + 0.01 * g;
  });
}

float UpdatedOnce(const std::string& name, const std::vector<float>& parameters, int64_t step,
                  std::vector<float>& slots, float weight_decay = 0.0f) {
  std::unique_ptr<RowOptimizer> optimizer;
  CHECK(MakeRowOptimizer({name, parameters, 0.1f, step, weight_decay}, &optimizer).ok());
  const float g = 0.0f;
  float w = 1.0f;
  optimizer->Update(&g, &w, slots.data(), 1);
  return w;
}

TEST(LazyAdamCatchesUpExactlyOnWhatWasMissed) {
  const std::vector<float> parameters = {0.9f, 0.999f, 0.1f, 0.001f, 1e-7f, 1.0f, 0.0f};
  std::vector<float> slots = {0.0f, 0.0f, 0.0f};
  // The first update of a row has missed nothing, however late it comes.
  CHECK_NEAR(UpdatedOnce("lazy_adam", parameters, 1000, slots, 0.5f), 0.95, 1e-6);
  CHECK_NEAR(UpdatedOnce("lazy_adam", parameters, 1001, slots, 0.5f), 0.95, 1e-6);
  CHECK_NEAR(UpdatedOnce("lazy_adam", parameters, 1004, slots, 0.5f), std::pow(0.95, 3), 1e-6);
  CHECK_NEAR(UpdatedOnce("lazy_adam", parameters, 1006, slots, 0.5f), std::pow(0.95, 2), 1e-6);
  slots[1] = 1.0f;
  UpdatedOnce("lazy_adam", parameters, 1106, slots);
  CHECK_NEAR(slots[1], std::pow(0.999, 100), 1e-6);
  // Steps that went back: nothing was missed.
  slots[1] = 1.0f;
  UpdatedOnce("lazy_adam", parameters, 3, slots);
  CHECK_NEAR(slots[1], 0.999, 1e-6);
  UpdatedOnce("lazy_adam", parameters, 4, slots);
  CHECK_NEAR(slots[1], 0.999 * 0.999, 1e-6);
}

TEST(AdagradDecayCatchesUpAndStopsAtTheFloor) {
  const std::vector<float> parameters = {0.1f, 1e-7f, 10.0f, 0.5f};
  std::vector<float> slots = {8.0f, 0.0f};
  UpdatedOnce("adagrad_decay", parameters, 9, slots);
  CHECK_EQ(slots[0], 8.0f);
  UpdatedOnce("adagrad_decay", parameters, 39, slots);
  CHECK_EQ(slots[0], 1.0f);
  UpdatedOnce("adagrad_decay", parameters, 5, slots);  // steps that went back
  CHECK_EQ(slots[0], 1.0f);
  UpdatedOnce("adagrad_decay", parameters, int64_t{1} << 40, slots);
  CHECK_EQ(slots[0], 0.1f);
}

TEST(OptimizersSayWhatIsWrong) {
  std::unique_ptr<RowOptimizer> optimizer;
  const Status unknown = MakeRowOptimizer({"ftrl2", {}, 0.1f, 0}, &optimizer);
  CHECK(unknown.code() == StatusCode::kInvalidArgument);
  CHECK_EQ(unknown.message(),
           "`optimizer` must be one that has a row update: sgd, adagrad, adam, amsgrad, adamax, "
           "nadam, adadelta, rmsprop, centered_rmsprop, ftrl, lion, rowwise_adagrad, "
           "adagrad_decay, lazy_adam, group_ftrl. Received: 'ftrl2' (in a table's commit).");
  const Status few = MakeRowOptimizer({"adam", {0.9f}, 0.1f, 0}, &optimizer);
  CHECK_EQ(few.message(),
           "`parameters` of the row optimizer 'adam' must have 5 values. Received: 1 values (in a "
           "table's commit).");
  CHECK(optimizer == nullptr);
}

}  // namespace
}  // namespace recs::testing
