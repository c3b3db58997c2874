//! A file's lines become requests, or problems that name line and column.

use std::collections::{BTreeSet, HashMap};

use jiff::civil::Date;
use meguri_config::City;
use meguri_proto::limits;

pub(super) use super::line::Request;
use super::line::Values;
use super::profile::{Covers, Items, Profile};
use super::report::{Problem, Problems, Skipped};
use super::table::{Line, Next, Table};

/// Most requests of one file: sixty days of a large city.
pub const FILE_REQUESTS: usize = 100_000;

/// What a file says.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// In the order of their lines.
    pub(super) requests: Vec<Request>,
    /// The days that the file is the whole of; none for a file of changes.
    pub(super) days: BTreeSet<Date>,
    /// Lines after the header.
    pub(super) lines: u64,
    pub(super) skipped: Vec<Skipped>,
    pub(super) problems: Problems,
}

/// Reads a file. `days` says which days it is the whole of; where it is empty, those that occur in it.
///
/// A problem returned is one of the whole file; those of single lines are in the reading.
pub(super) fn read(
    profile: &Profile,
    city: &City,
    content: &[u8],
    days: &[Date],
) -> Result<Reading, Problem> {
    if !days.is_empty() && profile.covers == Covers::Changes {
        let problem = format!("the profile {:?} is for changes only, so no day can be named", profile.name);
        return Err(Problem::of_file(problem));
    }
    let mut table = Table::open(content, profile)?;
    let mut reader = Reader {
        profile,
        days,
        values: Values::new(profile, Some(city), days, &table.header)?,
        keys: HashMap::new(),
        reading: Reading {
            skipped: profile.skip.iter().map(|rule| Skipped { rule: rule.name.clone(), lines: 0 }).collect(),
            ..Reading::default()
        },
    };
    loop {
        match table.next()? {
            Next::Line(line) => reader.line(line),
            Next::Bad(problem) => {
                reader.reading.lines += 1;
                reader.reading.problems.push(problem);
            }
            Next::End => break,
        }
        if reader.reading.requests.len() > FILE_REQUESTS {
            let problem = format!("expected at most {FILE_REQUESTS} requests, found more; split the file");
            return Err(Problem::of_file(problem));
        }
    }
    reader.finish()
}

struct Reader<'a> {
    profile: &'a Profile,
    days: &'a [Date],
    values: Values<'a>,
    /// Where each key's request is among the requests.
    keys: HashMap<String, Known>,
    reading: Reading,
}

struct Known {
    line: u64,
    /// None where that line had problems.
    request: Option<usize>,
}

impl Reader<'_> {
    fn line(&mut self, mut line: Line) {
        self.reading.lines += 1;
        let mut problems = self.values.look_up(&mut line);
        if let Some(rule) = self.values.skips(&line) {
            self.reading.skipped[rule].lines += 1;
            return;
        }
        let key = self.values.key(&line);
        let request = self.values.request(&line, key.clone().ok(), &mut problems);
        let key = match key {
            Ok(key) => Some(key),
            Err(problem) => {
                // What the field of that column says is told better.
                if problems.iter().all(|other| other.column != problem.column) {
                    problems.push(problem);
                }
                None
            }
        };
        let good = problems.is_empty();
        problems.into_iter().for_each(|problem| self.reading.problems.push(problem));
        let Some(key) = key else { return };
        if let Some(known) = self.keys.get(&key) {
            let (first, index) = (known.line, known.request);
            if let Err(problem) = self.again(line.number, first, index, request) {
                self.reading.problems.push(problem);
            }
            return;
        }
        let request = request.filter(|_| good);
        let index = request.is_some().then_some(self.reading.requests.len());
        self.keys.insert(key, Known { line: line.number, request: index });
        self.reading.requests.extend(request);
    }

    /// A line whose key was there before: one more item of that request, or a problem.
    fn again(
        &mut self,
        line: u64,
        first: u64,
        index: Option<usize>,
        request: Option<Request>,
    ) -> Result<(), Problem> {
        let fail = |problem: String| Err(Problem::at(line, None, problem));
        if !matches!(self.profile.items, Items::Lines(_)) {
            return fail(format!("expected each request once, found the key of line {first} again"));
        }
        // Where either line has problems of its own, those are told already.
        let (Some(index), Some(request)) = (index, request) else { return Ok(()) };
        let known = &mut self.reading.requests[index];
        let mut same = request.visit.clone();
        same.items.clone_from(&known.visit.items);
        let mut differing: Vec<String> =
            known.visit.differences(&same).into_iter().map(|(name, _)| name).collect();
        if known.cancelled != request.cancelled {
            differing.push("status".to_owned());
        }
        if known.order != request.order {
            differing.push("order".to_owned());
        }
        if !differing.is_empty() {
            let differing = differing.join(", ");
            return fail(format!(
                "expected the same as on line {first} of this request, found another {differing}"
            ));
        }
        if known.visit.items.len() + request.visit.items.len() > limits::PICKUP_ITEMS {
            let most = limits::PICKUP_ITEMS;
            return fail(format!("expected at most {most} items of the request that begins on line {first}"));
        }
        known.visit.items.extend(request.visit.items);
        Ok(())
    }

    fn finish(mut self) -> Result<Reading, Problem> {
        let reading = &mut self.reading;
        for request in &reading.requests {
            if request.visit.items.is_empty() {
                let problem = "expected at least one item of the request, found none";
                reading.problems.push(Problem::at(request.line, None, problem));
            }
        }
        if self.profile.covers == Covers::WholeDay {
            reading.days = self.days.iter().copied().collect();
            if self.days.is_empty() {
                reading.days = reading.requests.iter().map(|request| request.visit.date).collect();
            }
            if reading.days.is_empty() && reading.problems.is_empty() {
                return Err(Problem::of_file(
                    "expected the requests of a whole day, found none; name the day with --day if it has none",
                ));
            }
        }
        Ok(self.reading)
    }
}
