// The rules against the formulas of their papers, as Keras writes them, in double.
#include "optimizers/row_optimizer.h"

#include "support.h"

namespace recs::testing {
namespace {

constexpr int kDim = 19;  // no multiple of a vector's width
constexpr int kSteps = 10;

struct Naive {
  double w = 0.3, m = 0.0, v = 0.0;
};

template <class Rule>
void CheckRule(const std::string& name, const std::vector<float>& parameters, double first_v,
               double tolerance, Rule rule) {
  note = name;
  Random random(name.size());
  std::vector<Naive> naive(kDim);
  for (Naive& one : naive) one.v = first_v;
  std::vector<float> w(kDim, 0.3f), slots(2 * kDim + 1), g(kDim);
  slots.back() = 77.0f;  // no rule writes behind its slots
  for (int step = 0; step < kSteps; ++step) {
    std::unique_ptr<RowOptimizer> optimizer;
    const OptimizerSpec spec{name, parameters, 0.1f, step};
    CHECK(MakeRowOptimizer(spec, &optimizer).ok());
    for (int s = 0; step == 0 && s < optimizer->slots(); ++s) {
      std::fill_n(slots.begin() + s * kDim, kDim, optimizer->initial_slot_value(s));
    }
    for (int j = 0; j < kDim; ++j) {
      g[j] = random.Unit() * 2 - 1;
      rule(naive[j], double{g[j]}, step + 1);
    }
    optimizer->Update(g.data(), w.data(), slots.data(), kDim);
    for (int j = 0; j < kDim; ++j) CHECK_NEAR(w[j], naive[j].w, tolerance);
    CHECK_EQ(slots.back(), 77.0f);
  }
}

TEST(SgdFollowsItsFormulas) {
  CheckRule("sgd", {0.0f, 0.0f}, 0.0, 1e-6, [](Naive& x, double g, int) { x.w -= 0.1 * g; });
  CheckRule("sgd", {0.0f, 1.0f}, 0.0, 1e-6, [](Naive& x, double g, int) { x.w -= 0.1 * g; });
  CheckRule("sgd", {0.9f, 0.0f}, 0.0, 2e-6, [](Naive& x, double g, int) {
    x.m = 0.9 * x.m - 0.1 * g;
    x.w += x.m;
  });
  CheckRule("sgd", {0.9f, 1.0f}, 0.0, 2e-6, [](Naive& x, double g, int) {
    x.m = 0.9 * x.m - 0.1 * g;
    x.w += 0.9 * x.m - 0.1 * g;
  });
}

TEST(AdagradFollowsItsFormula) {
  CheckRule("adagrad", {0.1f, 1e-7f}, 0.1, 1e-6, [](Naive& x, double g, int) {
    x.v += g * g;
    x.w -= 0.1 * g / std::sqrt(x.v + 1e-7);
  });
}

TEST(AdamFollowsItsFormula) {
  // 1 - 0.999^t is known to 6e-5 of itself in single precision when t is 1.
  CheckRule("adam", {0.9f, 0.999f, 0.1f, 0.001f, 1e-7f}, 0.0, 5e-5, [](Naive& x, double g, int t) {
    x.m = 0.9 * x.m + 0.1 * g;
    x.v = 0.999 * x.v + 0.001 * g * g;
    const double m_hat = x.m / (1 - std::pow(0.9, t));
    const double v_hat = x.v / (1 - std::pow(0.999, t));
    x.w -= 0.1 * m_hat / (std::sqrt(v_hat) + 1e-7);
  });
}

TEST(OptimizersSayWhatIsWrong) {
  std::unique_ptr<RowOptimizer> optimizer;
  const Status unknown = MakeRowOptimizer({"ftrl", {}, 0.1f, 0}, &optimizer);
  CHECK(unknown.code() == StatusCode::kInvalidArgument);
  CHECK_EQ(unknown.message(),
           "`optimizer` must be one that has a row update: sgd, adagrad, adam. Received: 'ftrl' "
           "(in a table's commit).");
  const Status few = MakeRowOptimizer({"adam", {0.9f}, 0.1f, 0}, &optimizer);
  CHECK_EQ(few.message(),
           "`parameters` of the row optimizer 'adam' must have 5 values. Received: 1 values (in a "
           "table's commit).");
  CHECK(optimizer == nullptr);
}

}  // namespace
}  // namespace recs::testing
