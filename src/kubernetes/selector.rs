//! Label selectors: `matchLabels` and `matchExpressions`, as objects carry them.

use std::collections::BTreeMap;

use super::rows::pairs;

/// One expression over one label.
#[derive(Clone, Debug, PartialEq, Eq)]
struct LabelExpression {
    key: String,
    operator: String,
    values: Vec<String>,
}

/// A label selector. Everything in it must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LabelSelector {
    labels: Vec<(String, String)>,
    expressions: Vec<LabelExpression>,
}

impl LabelSelector {
    /// Reads the two columns that a template prints: `key=value,` pairs, and `key operator value|value;` expressions.
    /// `None` where an expression has another form.
    pub(crate) fn parse(labels: &str, expressions: &str) -> Option<Self> {
        let expression = |text: &str| {
            let mut words = text.splitn(3, ' ');
            let (key, operator) = (words.next()?.to_owned(), words.next()?.to_owned());
            let values = words.next()?.split('|').filter(|value| !value.is_empty());
            Some(LabelExpression { key, operator, values: values.map(ToOwned::to_owned).collect() })
        };
        let labels = pairs(labels).map(|(key, value)| (key.to_owned(), value.to_owned()));
        let expressions = expressions.split(';').filter(|text| !text.is_empty()).map(expression);
        Some(Self { labels: labels.collect(), expressions: expressions.collect::<Option<_>>()? })
    }

    /// Whether it says nothing, and so selects everything.
    pub(crate) fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.expressions.is_empty()
    }

    /// Whether an object with these labels is selected. An operator that this code does not know selects, because
    /// overlooking a budget is worse than seeing one too many.
    pub(crate) fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        let equal = self.labels.iter().all(|(key, value)| labels.get(key) == Some(value));
        equal && self.expressions.iter().all(|expression| expression.holds(labels))
    }
}

impl LabelExpression {
    fn holds(&self, labels: &BTreeMap<String, String>) -> bool {
        let value = labels.get(&self.key);
        match self.operator.as_str() {
            "In" => value.is_some_and(|value| self.values.contains(value)),
            // An object without the label is selected too.
            "NotIn" => value.is_none_or(|value| !self.values.contains(value)),
            "Exists" => value.is_some(),
            "DoesNotExist" => value.is_none(),
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_select_as_the_api_server_does() {
        let labels: BTreeMap<_, _> =
            [("app", "web"), ("tier", "front")].map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let cases = [
            ("app=web,", "", true),
            ("app=web,tier=back,", "", false),
            ("", "app In web|db|;", true),
            ("", "app In db|;", false),
            ("", "zone NotIn a|;", true),
            ("", "app NotIn web|;", false),
            ("", "tier Exists ;", true),
            ("", "zone Exists ;", false),
            ("", "zone DoesNotExist ;", true),
            ("app=web,", "tier In back|;", false),
            ("", "", true),
        ];
        for (pairs, expressions, expected) in cases {
            let selector = LabelSelector::parse(pairs, expressions).expect(expressions);
            assert_eq!(selector.selects(&labels), expected, "{pairs} {expressions}");
        }
    }
}
