//! Figures beside their aims, for a person and for a program.

use serde::Serialize;

/// One figure.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    /// What was measured.
    what: String,
    /// The figure.
    figure: f64,
    /// Of what.
    unit: &'static str,
    /// What it should be below, if there is an aim.
    #[serde(skip_serializing_if = "Option::is_none")]
    below: Option<f64>,
}

impl Row {
    pub(super) fn new(what: impl Into<String>, figure: f64, unit: &'static str) -> Self {
        Self {
            what: what.into(),
            figure,
            unit,
            below: None,
        }
    }

    /// The aim: below this.
    pub(super) fn below(mut self, aim: f64) -> Self {
        self.below = Some(aim);
        self
    }

    fn is_met(&self) -> Option<bool> {
        self.below.map(|aim| self.figure < aim)
    }
}

/// All figures of a run.
#[derive(Debug, Serialize)]
pub(super) struct Table {
    /// Processors that the run had.
    processors: usize,
    /// Whether the client and the simulator, which share this process, were compiled with optimisation.
    optimised_client: bool,
    /// Whether all samples were taken.
    full: bool,
    figures: Vec<Row>,
}

impl Table {
    pub(super) fn new(full: bool) -> Self {
        Self {
            processors: std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
            optimised_client: env!("XTASK_OPT_LEVEL") != "0",
            full,
            figures: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, row: Row) {
        self.figures.push(row);
    }

    pub(super) fn json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    pub(super) fn text(&self) -> String {
        let width = self
            .figures
            .iter()
            .map(|row| row.what.chars().count())
            .max()
            .unwrap_or(0);
        let mut lines = vec![format!(
            "{:width$}  {:>10}  {:<8}  aim",
            "what", "figure", "unit"
        )];
        for row in &self.figures {
            let aim = match (row.below, row.is_met()) {
                (Some(aim), Some(true)) => format!("< {aim}"),
                (Some(aim), _) => format!("< {aim}  MISSED"),
                (None, _) => String::new(),
            };
            let line = format!(
                "{:width$}  {:>10}  {:<8}  {aim}",
                row.what,
                short(row.figure),
                row.unit
            );
            lines.push(line.trim_end().to_owned());
        }
        lines.push(format!(
            "\n{} processors, shared by the function, the client and the simulator; client and simulator {}{}",
            self.processors,
            if self.optimised_client {
                "optimised"
            } else {
                "NOT optimised: run with --profile simulation"
            },
            if self.full {
                ""
            } else {
                "; --quick: not to be quoted"
            },
        ));
        lines.join("\n")
    }
}

/// Three digits that mean something.
fn short(figure: f64) -> String {
    match figure.abs() {
        large if large >= 100.0 => format!("{figure:.0}"),
        middle if middle >= 10.0 => format!("{figure:.1}"),
        _ => format!("{figure:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missed_aim_is_said_and_a_met_one_is_not() {
        let mut table = Table::new(true);
        table.push(Row::new("small", 1.234, "ms").below(2.0));
        table.push(Row::new("large", 1234.5, "ms").below(2.0));
        table.push(Row::new("free", 12.34, "MB"));
        let text = table.text();
        let lines: Vec<&str> = text.lines().collect();
        assert!(
            lines[1].ends_with("< 2") && lines[1].contains("1.23"),
            "{text}"
        );
        assert!(
            lines[2].ends_with("MISSED") && lines[2].contains(" 1234 "),
            "{text}"
        );
        assert!(lines[3].ends_with("MB"), "{text}");
    }
}
