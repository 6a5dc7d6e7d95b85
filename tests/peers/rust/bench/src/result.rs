//! What a run has measured, as values and as JSON.

use serde_json::{Map, Value, json};

use crate::stats::Samples;

/// A whole run.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// Facts about the machine and the run, in the order they are shown.
    pub facts: Vec<(String, String)>,
    pub benches: Vec<Bench>,
}

/// One table: cells with the same candidates and the same unit.
#[derive(Clone, Debug, Default)]
pub struct Bench {
    pub name: String,
    pub about: String,
    pub unit: String,
    pub cells: Vec<Cell>,
}

/// One case of a bench.
#[derive(Clone, Debug, Default)]
pub struct Cell {
    pub name: String,
    /// Where the case lies on the axis of a curve, if it is a point of one.
    pub x: Option<f64>,
    pub rows: Vec<Row>,
}

/// One candidate in one case.
#[derive(Clone, Debug, Default)]
pub struct Row {
    pub candidate: String,
    /// One sample a round, in the order of the rounds.
    pub samples: Samples,
    /// Further figures: throughput, system calls.
    pub extra: Vec<(String, f64)>,
}

impl Row {
    /// Of one sample, where nothing is gained by more.
    pub fn once(candidate: &str, value: f64) -> Self {
        let samples = Samples(vec![value]);
        Self { candidate: candidate.to_owned(), samples, extra: Vec::new() }
    }
}

impl Cell {
    pub fn row(&self, candidate: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.candidate == candidate)
    }

    /// The median of the paired ratios of `candidate` to `base`.
    pub fn ratio(&self, candidate: &str, base: &str) -> Option<Samples> {
        let (candidate, base) = (self.row(candidate)?, self.row(base)?);
        Some(candidate.samples.paired_ratio(&base.samples))
    }

    /// The fastest candidate that is neither ours nor a limit.
    pub fn best_peer(&self) -> Option<&Row> {
        let peers = self.rows.iter().filter(|row| is_peer(&row.candidate));
        peers.min_by(|a, b| a.samples.median().total_cmp(&b.samples.median()))
    }
}

/// Whether a candidate is another project's.
pub fn is_peer(candidate: &str) -> bool {
    !candidate.starts_with("ours") && !LIMITS.contains(&candidate)
}

/// What nobody can be faster than, or only by doing less.
pub const LIMITS: &[&str] = &["raw", "floor", "memcpy", "zlib"];

impl Run {
    pub fn to_json(&self) -> Value {
        let facts: Map<String, Value> =
            self.facts.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
        json!({ "facts": facts, "benches": self.benches.iter().map(bench_json).collect::<Vec<_>>() })
    }

    pub fn from_json(value: &Value) -> Option<Self> {
        let facts = value.get("facts")?.as_object()?.iter();
        let facts = facts.map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
        let benches = value.get("benches")?.as_array()?.iter().map(bench);
        Some(Self {
            facts: facts.collect::<Option<_>>()?,
            benches: benches.collect::<Option<_>>()?,
        })
    }

    pub fn fact(&self, name: &str) -> &str {
        let mut found = self.facts.iter().filter(|(key, _)| key == name);
        found.next().map_or("", |(_, value)| value)
    }
}

fn bench_json(bench: &Bench) -> Value {
    let cells: Vec<Value> = bench.cells.iter().map(cell_json).collect();
    json!({ "name": bench.name, "about": bench.about, "unit": bench.unit, "cells": cells })
}

fn cell_json(cell: &Cell) -> Value {
    let rows: Vec<Value> = cell.rows.iter().map(row_json).collect();
    json!({ "name": cell.name, "x": cell.x, "rows": rows })
}

fn row_json(row: &Row) -> Value {
    let extra: Map<String, Value> =
        row.extra.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
    json!({
        "candidate": row.candidate,
        "median": row.samples.median(),
        "spread": row.samples.spread(),
        "samples": row.samples.0,
        "extra": extra,
    })
}

fn bench(value: &Value) -> Option<Bench> {
    let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let cells = value.get("cells")?.as_array()?.iter().map(cell).collect::<Option<_>>()?;
    Some(Bench { name: text("name")?, about: text("about")?, unit: text("unit")?, cells })
}

fn cell(value: &Value) -> Option<Cell> {
    let rows = value.get("rows")?.as_array()?.iter().map(row).collect::<Option<_>>()?;
    let name = value.get("name")?.as_str()?.to_owned();
    Some(Cell { name, x: value.get("x").and_then(Value::as_f64), rows })
}

fn row(value: &Value) -> Option<Row> {
    let samples = value.get("samples")?.as_array()?.iter().map(Value::as_f64);
    let extra = value.get("extra")?.as_object()?.iter();
    let extra = extra.map(|(key, value)| Some((key.clone(), value.as_f64()?)));
    Some(Row {
        candidate: value.get("candidate")?.as_str()?.to_owned(),
        samples: Samples(samples.collect::<Option<_>>()?),
        extra: extra.collect::<Option<_>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_survives_its_way_through_json() {
        let row = Row {
            candidate: "ours".into(),
            samples: Samples(vec![1.5, 2.5]),
            extra: vec![("messages_per_second".into(), 7.0)],
        };
        let cell = Cell { name: "16 B".into(), x: Some(16.0), rows: vec![row] };
        let bench =
            Bench { name: "echo".into(), about: "a".into(), unit: "us".into(), cells: vec![cell] };
        let run = Run { facts: vec![("cpu".into(), "x".into())], benches: vec![bench] };
        let json = run.to_json();
        assert_eq!(Run::from_json(&json).expect("complete").to_json(), json);
    }
}
