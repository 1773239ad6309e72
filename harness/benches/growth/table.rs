//! What something costs at several sizes, and how steeply that grows.

use std::fmt::{self, Display, Formatter};

use crate::median::median;

/// One way of doing something, at each size that it was measured at.
pub(crate) struct Series {
    pub(crate) name: &'static str,
    /// Sizes and costs.
    pub(crate) points: Vec<(f64, f64)>,
}

impl Series {
    /// Of what was measured in each round at each of these sizes.
    pub(crate) fn of_rounds(name: &'static str, sizes: &[usize], rounds: Vec<Vec<f64>>) -> Self {
        let points = sizes.iter().zip(rounds).map(|(size, costs)| (*size as f64, median(costs)));
        Self { name, points: points.collect() }
    }

    /// The slope of the logarithm of the cost over that of the size, by least squares.
    pub(crate) fn exponent(&self) -> f64 {
        slope(&self.points)
    }

    /// The same between the last two sizes.
    fn exponent_at_the_end(&self) -> f64 {
        slope(&self.points[self.points.len().saturating_sub(2)..])
    }
}

fn slope(points: &[(f64, f64)]) -> f64 {
    let logarithms: Vec<_> = points.iter().map(|(size, cost)| (size.ln(), cost.ln())).collect();
    let mean = |values: &dyn Fn(&(f64, f64)) -> f64| {
        logarithms.iter().map(values).sum::<f64>() / logarithms.len() as f64
    };
    let (x_mean, y_mean) = (mean(&|point| point.0), mean(&|point| point.1));
    let covariance: f64 = logarithms.iter().map(|(x, y)| (x - x_mean) * (y - y_mean)).sum();
    let variance: f64 = logarithms.iter().map(|(x, _)| (x - x_mean).powi(2)).sum();
    covariance / variance
}

/// Several ways of doing the same.
pub(crate) struct Table {
    pub(crate) title: &'static str,
    /// What sizes count, such as machines.
    pub(crate) size: &'static str,
    /// What costs are in, such as s.
    pub(crate) unit: &'static str,
    /// What the cost of one of what sizes count is in, and how many of it make the unit; none where that
    /// would say nothing.
    pub(crate) each: Option<(&'static str, f64)>,
    pub(crate) series: Vec<Series>,
}

impl Display for Table {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { title, size, unit, each, series } = self;
        writeln!(f, "{title}\n")?;
        write!(f, "| {size} |")?;
        for series in series {
            write!(f, " {}, {unit} |", series.name)?;
            if let Some((unit, _)) = each {
                write!(f, " {unit} each |")?;
            }
        }
        let columns = series.len() * if each.is_some() { 2 } else { 1 };
        writeln!(f, "\n|{}", " --- |".repeat(columns + 1))?;
        for (row, (size, _)) in series.first().iter().flat_map(|series| series.points.iter().enumerate()) {
            write!(f, "| {size} |")?;
            for (size, cost) in series.iter().filter_map(|series| series.points.get(row)) {
                write!(f, " {} |", figure(*cost))?;
                if let Some((_, factor)) = each {
                    write!(f, " {} |", figure(cost * factor / size))?;
                }
            }
            writeln!(f)?;
        }
        let row = |f: &mut Formatter<'_>, name: &str, exponent: &dyn Fn(&Series) -> f64| {
            write!(f, "| {name} |")?;
            for series in series {
                write!(f, " {:.2} |{}", exponent(series), if each.is_some() { " |" } else { "" })?;
            }
            writeln!(f)
        };
        row(f, "exponent", &Series::exponent)?;
        row(f, "at the end", &Series::exponent_at_the_end)
    }
}

/// Three significant digits.
fn figure(number: f64) -> String {
    let before = if number >= 1.0 { number.log10() as usize + 1 } else { 1 };
    let after = if number < 0.1 { 4 } else { 3_usize.saturating_sub(before) };
    format!("{number:.after$}")
}
