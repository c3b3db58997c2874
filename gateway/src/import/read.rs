//! A file's lines become requests, or problems that name line and column.

use std::collections::{BTreeSet, HashMap};

use jiff::civil::Date;
use meguri_config::City;
use meguri_proto::limits;

pub(super) use super::line::Request;
use super::line::{Values, key_or};
use super::profile::{Covers, Items, Profile};
use super::progress::{Progress, Stage};
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
    /// The lines with problems; their requests are not among the requests.
    pub(super) rejected: Rejects,
}

/// Lines that can't be taken, and what they keep from being missing.
#[derive(Debug, Default)]
pub(super) struct Rejects {
    /// How many lines of the table.
    pub(super) lines: u64,
    /// The last line of the header.
    pub(super) header: u64,
    /// The first and the last line in the file of each stretch of them, in order.
    pub(super) places: Vec<(u64, u64)>,
    /// The keys that could be read on them.
    pub(super) keys: BTreeSet<String>,
    /// Whether one may be of any request.
    of_any: bool,
    /// Days of which one may be any request.
    days: BTreeSet<Date>,
}

impl Rejects {
    /// Whether a line whose request nobody can tell may be of one on that day.
    pub(super) fn may_be_of(&self, day: Date) -> bool {
        self.of_any || self.days.contains(&day)
    }
}

/// Reads a file. `days` says which days it is the whole of; where it is empty, those that occur in it.
///
/// A problem returned is one of the whole file; those of single lines are in the reading.
pub(super) fn read(
    profile: &Profile,
    city: &City,
    content: &[u8],
    days: &[Date],
    progress: &Progress,
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
        known: Vec::new(),
        records: Vec::new(),
        reading: Reading {
            skipped: profile.skip.iter().map(|rule| Skipped { rule: rule.name.clone(), lines: 0 }).collect(),
            ..Reading::default()
        },
    };
    let of = lines_of(content);
    progress.begin(Stage::Reading, of);
    loop {
        match table.next()? {
            Next::Line(line) => {
                let number = line.number;
                reader.line(line);
                progress.reach(number);
            }
            Next::Bad(problem) => {
                reader.reading.lines += 1;
                reader.records.push((problem.line.unwrap_or_default(), Record::Unknown));
                reader.reading.rejected.of_any = true;
                reader.reading.problems.push(problem);
            }
            Next::End => break,
        }
        if reader.reading.requests.len() > FILE_REQUESTS {
            let problem = format!("expected at most {FILE_REQUESTS} requests, found more; split the file");
            return Err(Problem::of_file(problem));
        }
    }
    reader.finish(of)
}

/// How many lines a file has, as an editor counts them.
fn lines_of(content: &[u8]) -> u64 {
    let ends =
        |(at, byte): (usize, &u8)| *byte == b'\n' || (*byte == b'\r' && content.get(at + 1) != Some(&b'\n'));
    let ended = content.iter().enumerate().filter(|&at| ends(at)).count() as u64;
    ended + u64::from(!matches!(content.last(), None | Some(b'\n' | b'\r')))
}

struct Reader<'a> {
    profile: &'a Profile,
    days: &'a [Date],
    values: Values<'a>,
    /// Where each key is among the known.
    keys: HashMap<String, usize>,
    known: Vec<Known>,
    /// Every line of the table and where it begins.
    records: Vec<(u64, Record)>,
    reading: Reading,
}

/// A key that was met.
struct Known {
    line: u64,
    /// None where that line had problems.
    request: Option<usize>,
    /// Whether a line of it has problems.
    bad: bool,
}

/// What a line of the table is of.
#[derive(Clone, Copy)]
enum Record {
    Skipped,
    /// Of the known key at this index.
    Of(usize),
    /// Of a request that nobody can tell.
    Unknown,
}

impl Reader<'_> {
    fn line(&mut self, mut line: Line) {
        self.reading.lines += 1;
        let mut problems = self.values.look_up(&mut line);
        if let Some(rule) = self.values.skips(&line) {
            self.reading.skipped[rule].lines += 1;
            self.records.push((line.number, Record::Skipped));
            return;
        }
        let key = self.values.key(&line);
        let request = self.values.request(&line, key.clone().ok(), &mut problems);
        let key = key_or(key, &mut problems);
        let good = problems.is_empty();
        if !good {
            self.whose(&line, &problems);
        }
        problems.into_iter().for_each(|problem| self.reading.problems.push(problem));
        let Some(key) = key else {
            self.records.push((line.number, Record::Unknown));
            return;
        };
        if let Some(&index) = self.keys.get(&key) {
            self.records.push((line.number, Record::Of(index)));
            let (first, request_index) = (self.known[index].line, self.known[index].request);
            let again = self.again(line.number, first, request_index, request);
            self.known[index].bad |= !good || again.is_err();
            if let Err(problem) = again {
                self.reading.problems.push(problem);
            }
            return;
        }
        let request = request.filter(|_| good);
        let index = request.is_some().then_some(self.reading.requests.len());
        self.records.push((line.number, Record::Of(self.known.len())));
        self.keys.insert(key, self.known.len());
        self.known.push(Known { line: line.number, request: index, bad: !good });
        self.reading.requests.extend(request);
    }

    /// Notes which requests a line with problems may be of, where its key can't be relied on: those of its day, where the
    /// key holds the day and that can be read; else any, as it may be of one that was on another day before.
    fn whose(&mut self, line: &Line, problems: &[Problem]) {
        let wrong = |column: usize| {
            problems.iter().any(|problem| problem.column.as_ref().is_some_and(|at| at.number == column + 1))
        };
        if !self.values.columns.key.iter().any(|part| wrong(part.column)) {
            return;
        }
        let dated = self.values.columns.key.iter().any(|part| part.date && !wrong(part.column));
        match self.values.date(line) {
            Ok(date) if dated => {
                self.reading.rejected.days.insert(date);
            }
            _ => self.reading.rejected.of_any = true,
        }
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

    /// `last` is the file's last line.
    fn finish(mut self, last: u64) -> Result<Reading, Problem> {
        let reading = &mut self.reading;
        for request in &reading.requests {
            if request.visit.items.is_empty() {
                let problem = "expected at least one item of the request, found none";
                reading.problems.push(Problem::at(request.line, None, problem));
                if let Some(&index) = self.keys.get(&request.key) {
                    self.known[index].bad = true;
                }
            }
        }
        if !reading.problems.is_empty() {
            let (keys, known) = (&self.keys, &self.known);
            let bad = |key: &String| keys.get(key).is_some_and(|&index| known[index].bad);
            reading.requests.retain(|request| !bad(&request.key));
            reading.rejected.keys = keys.keys().filter(|key| bad(key)).cloned().collect();
            reject(&mut reading.rejected, &self.records, known, last);
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

/// Finds the places of the lines that can't be taken. A line of the table goes on to where the next one begins.
fn reject(rejects: &mut Rejects, records: &[(u64, Record)], known: &[Known], last: u64) {
    rejects.header = records.first().map_or(last, |(first, _)| first.saturating_sub(1));
    let ends = records.iter().skip(1).map(|(next, _)| next.saturating_sub(1)).chain([last]);
    for ((first, record), end) in records.iter().zip(ends) {
        let bad = match record {
            Record::Skipped => false,
            Record::Of(index) => known[*index].bad,
            Record::Unknown => true,
        };
        if !bad {
            continue;
        }
        rejects.lines += 1;
        match rejects.places.last_mut() {
            Some((_, before)) if *before + 1 == *first => *before = end,
            _ => rejects.places.push((*first, end)),
        }
    }
}
