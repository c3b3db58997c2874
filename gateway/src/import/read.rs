//! A file's lines become requests, or problems that name line and column.

use std::collections::{BTreeSet, HashMap};

use jiff::civil::Date;
use meguri_config::City;
use meguri_proto::{Item, Payment, Place, Ticket, VehicleId, limits};

use super::columns::{Columns, ItemSource, ItemSources, Source};
use super::profile::{Covers, Items, Profile};
use super::progress::{Progress, Stage};
use super::report::{Problem, Problems, Skipped};
use super::table::{Line, Next, Table};
use super::value;
use super::visit::Visit;

/// Most requests of one file: sixty days of a large city.
pub const FILE_REQUESTS: usize = 100_000;
/// Longest cell of a key, in characters.
const KEY_CELL: usize = 200;

/// A request as a file has it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Request {
    /// The line it is on, or begins with.
    pub(super) line: u64,
    /// Its key within the source.
    pub(super) key: String,
    pub(super) visit: Visit,
    /// Whether the file says that it is cancelled.
    pub(super) cancelled: bool,
    /// Its place in the round, where the file says it.
    pub(super) order: Option<u32>,
}

/// One line of residents' data.
fn short(text: &str) -> Result<String, String> {
    value::text(text, limits::SHORT_TEXT, true)
}

/// Some lines of residents' data.
fn long(text: &str) -> Result<String, String> {
    value::lines(text, limits::LONG_TEXT, true)
}

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
    let columns = Columns::resolve(profile, &table.header)?;
    let mut reader = Reader {
        profile,
        city,
        days,
        columns,
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
                reader.line(&line);
                progress.reach(line.number);
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
    city: &'a City,
    days: &'a [Date],
    columns: Columns,
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
    fn line(&mut self, line: &Line) {
        self.reading.lines += 1;
        let skips = self.profile.skip.iter().zip(&self.columns.skip);
        if let Some(rule) = skips
            .enumerate()
            .find_map(|(index, (rule, column))| rule.skips(&line.cells[*column]).then_some(index))
        {
            self.reading.skipped[rule].lines += 1;
            self.records.push((line.number, Record::Skipped));
            return;
        }
        let mut problems = Vec::new();
        let key = self.key(line);
        let request = self.request(line, key.clone().ok(), &mut problems);
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
        if !good {
            self.whose(line, &problems);
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
        if !self.columns.key.iter().any(|part| wrong(part.column)) {
            return;
        }
        let dated = self.columns.key.iter().any(|part| part.date && !wrong(part.column));
        match self.date(line) {
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

    /// The columns of the key, joined so that no two keys look alike, and one request's always do.
    fn key(&self, line: &Line) -> Result<String, Problem> {
        let mut key = String::new();
        for part in &self.columns.key {
            let cell = &line.cells[part.column];
            let at =
                |problem| Problem::at(line.number, Some(self.columns.header.named(part.column)), problem);
            if cell.is_empty() {
                return Err(at("expected a part of the request's key, found nothing".to_owned()));
            }
            let plain = value::text(&value::narrow(cell), KEY_CELL, false).map_err(at)?;
            let date = part.date.then(|| value::date(&self.profile.date_format, cell).ok()).flatten();
            // Of a date that can't be read its field tells.
            let cell = date.map_or_else(|| value::padded(&plain, part.pad), |date| date.to_string());
            if !key.is_empty() {
                key.push('/');
            }
            key.push_str(&cell.replace('\\', "\\\\").replace('/', "\\/"));
        }
        Ok(key)
    }

    fn request(&self, line: &Line, key: Option<String>, problems: &mut Vec<Problem>) -> Option<Request> {
        let columns = &self.columns;
        let mut text = |source: &Option<Source>, read: fn(&str) -> Result<String, String>| match source {
            Some(source) => kept(problems, self.get(line, source, read)),
            None => Some(String::new()),
        };
        let lot = text(&columns.lot, short);
        let building = text(&columns.building, short);
        let spot = text(&columns.spot, long);
        let notice = text(&columns.notice, long);
        let town = kept(
            problems,
            self.get(line, &columns.town, |text| {
                if text.is_empty() {
                    return Err("expected a town, found nothing".to_owned());
                }
                short(text)
            }),
        );
        let date = kept(problems, self.date(line));
        let district = kept(
            problems,
            self.get(line, &columns.district, |name| {
                let known = self.city.district(name).cloned();
                known.ok_or_else(|| {
                    // Whoever has just put it there looks for it in vain.
                    format!(
                        "expected a district of city.toml, found {}; a running gateway knows city.toml as it was at its start",
                        value::shown(name)
                    )
                })
            }),
        );
        let vehicle = kept(problems, self.vehicle(line));
        let reception = kept(problems, self.get(line, &columns.reception, value::reception));
        let ward = kept(problems, self.ward(line));
        let position = kept(problems, self.position(line));
        let payment = match &columns.payment {
            Some(source) => kept(problems, self.get(line, source, value::payment)),
            None => Some(Payment::Tickets),
        };
        let cancelled = match &columns.status {
            Some(source) => kept(problems, self.get(line, source, value::cancelled)),
            None => Some(false),
        };
        let order = match &columns.order {
            Some(source) => {
                kept(problems, self.get(line, source, |text| value::number(text, 0, 1_000_000).map(Some)))
            }
            None => Some(None),
        };
        let items = self.items(line, problems);

        let district = district?;
        let vehicle = vehicle?.unwrap_or_else(|| district.vehicle.clone());
        let date = date?;
        let contract = kept(problems, self.contract(line, &vehicle, date))?;
        let visit = Visit {
            date,
            contract,
            vehicle,
            reception: reception?,
            place: Place {
                ward: ward?.unwrap_or(district.ward),
                town: town?,
                lot: lot?,
                building: building?,
                spot: spot?,
                notice: notice?,
                position: position?,
            },
            district: district.name,
            items: items?,
            payment: payment?,
        };
        Some(Request { line: line.number, key: key?, visit, cancelled: cancelled?, order: order? })
    }

    /// A field's value on a line, read by `parse`.
    fn get<T>(
        &self,
        line: &Line,
        source: &Source,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<T, Problem> {
        let value = self.value(line, source)?;
        parse(&value).map_err(|problem| self.wrong(line, source, problem))
    }

    /// A field's text on a line: cut, defaulted, translated and padded as its settings say.
    fn value(&self, line: &Line, source: &Source) -> Result<String, Problem> {
        let field = &source.field;
        let Some(column) = source.column else { return Ok(field.constant.clone().unwrap_or_default()) };
        let mut text = line.cells[column].as_str();
        if let Some((_, rest)) = field.after.as_deref().and_then(|after| text.split_once(after)) {
            text = rest.trim();
        }
        if let Some((rest, _)) = field.before.as_deref().and_then(|before| text.split_once(before)) {
            text = rest.trim();
        }
        if text.is_empty() {
            return Ok(field.default.clone().unwrap_or_default());
        }
        if !field.map.is_empty() {
            text = field.map.get(text).ok_or_else(|| {
                let known = field.map.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
                let problem = format!("expected one of {known}, found {}", value::shown(text));
                self.wrong(line, source, problem)
            })?;
        }
        Ok(value::padded(text, field.pad))
    }

    fn wrong(&self, line: &Line, source: &Source, problem: String) -> Problem {
        match source.column {
            Some(column) => Problem::at(line.number, Some(self.columns.header.named(column)), problem),
            None => Problem::at(line.number, None, format!("the profile's constant: {problem}")),
        }
    }

    fn date(&self, line: &Line) -> Result<Date, Problem> {
        self.get(line, &self.columns.date, |text| {
            let date = value::date(&self.profile.date_format, text)?;
            if !self.days.is_empty() && !self.days.contains(&date) {
                return Err(format!("expected only the days named for this file, found {date}"));
            }
            Ok(date)
        })
    }

    fn vehicle(&self, line: &Line) -> Result<Option<VehicleId>, Problem> {
        let Some(source) = &self.columns.vehicle else { return Ok(None) };
        self.get(line, source, |text| {
            if text.is_empty() {
                return Ok(None);
            }
            let id = text.parse::<VehicleId>().ok().filter(|id| self.city.vehicle(id).is_some());
            id.map(Some)
                .ok_or_else(|| format!("expected a vehicle of city.toml, found {}", value::shown(text)))
        })
    }

    fn ward(&self, line: &Line) -> Result<Option<String>, Problem> {
        let Some(source) = &self.columns.ward else { return Ok(None) };
        self.get(line, source, |text| match text {
            "" => Ok(None),
            ward if self.city.wards.iter().any(|known| known == ward) => Ok(Some(ward.to_owned())),
            ward => Err(format!("expected a ward of city.toml, found {}", value::shown(ward))),
        })
    }

    fn position(&self, line: &Line) -> Result<Option<(f64, f64)>, Problem> {
        let Some((lat, lng)) = &self.columns.position else { return Ok(None) };
        let degrees = |source: &Source, bound: f64| {
            self.get(line, source, |text| match text {
                "" => Ok(None),
                text => value::degrees(text, bound).map(Some),
            })
        };
        match (degrees(lat, 90.0)?, degrees(lng, 180.0)?) {
            (Some(lat), Some(lng)) => Ok(Some((lat, lng))),
            (None, None) => Ok(None),
            (None, Some(_)) => {
                Err(self.wrong(line, lat, "expected both latitude and longitude, found one".into()))
            }
            (Some(_), None) => {
                Err(self.wrong(line, lng, "expected both latitude and longitude, found one".into()))
            }
        }
    }

    /// The contract under which the vehicle works on that day.
    fn contract(
        &self,
        line: &Line,
        vehicle: &VehicleId,
        date: Date,
    ) -> Result<meguri_proto::ContractId, Problem> {
        // A checked plan names only vehicles and contracts that it has.
        let known = self.city.vehicle(vehicle).and_then(|vehicle| self.city.contract(&vehicle.contract));
        let Some(contract) = known else {
            return Err(Problem::at(line.number, None, format!("city.toml has no contract of {vehicle}")));
        };
        if (contract.from..=contract.until).contains(&date) {
            return Ok(contract.id.clone());
        }
        let problem = format!(
            "expected a day of contract {} of {vehicle}, {} to {}, found {date}",
            contract.id, contract.from, contract.until
        );
        Err(self.wrong(line, &self.columns.date, problem))
    }

    fn items(&self, line: &Line, problems: &mut Vec<Problem>) -> Option<Vec<Item>> {
        let items = match &self.columns.items {
            ItemSources::Text(text) => {
                let (how, source) = &**text;
                kept(problems, self.get(line, source, |cell| value::items(how, cell)))?
            }
            ItemSources::Each(sources) => {
                let mut items = Vec::with_capacity(sources.len());
                let mut good = true;
                for source in sources {
                    match kept(problems, self.item(line, source)) {
                        Some(item) => items.extend(item),
                        None => good = false,
                    }
                }
                if !good {
                    return None;
                }
                items
            }
        };
        Some(items)
    }

    fn item(&self, line: &Line, source: &ItemSource) -> Result<Option<Item>, Problem> {
        let name = self.get(line, &source.name, value::item_name)?;
        if name.is_empty() {
            let tickets = source.ticket.iter().map(|(_, count)| count);
            for other in source.count.iter().chain(&source.tickets).chain(tickets) {
                let cell = other.column.map_or("", |column| line.cells[column].as_str());
                if !matches!(cell, "" | "0" | "０") {
                    return Err(self.wrong(
                        line,
                        &source.name,
                        "expected an item's name, found nothing".into(),
                    ));
                }
            }
            return Ok(None);
        }
        let count = match &source.count {
            Some(count) => self.get(line, count, |text| match text {
                "" => Ok(1),
                text => value::number(text, 1, limits::ITEM_COUNT),
            })?,
            None => 1,
        };
        let mut tickets = match &source.tickets {
            Some(tickets) => self.get(line, tickets, value::tickets)?,
            None => Vec::new(),
        };
        for (yen, source) in &source.ticket {
            let count = self.get(line, source, |text| match text {
                "" => Ok(0),
                text => value::number(text, 0, limits::ITEM_COUNT),
            })?;
            if count > 0 {
                tickets.push(Ticket { yen: *yen, count });
            }
        }
        let recycling = match &source.recycling {
            Some(recycling) => self.get(line, recycling, value::yes)?,
            None => false,
        };
        Ok(Some(Item { name, count, tickets, recycling }))
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

/// Keeps the problem and goes on, so that one report names all of a line's.
fn kept<T>(problems: &mut Vec<Problem>, result: Result<T, Problem>) -> Option<T> {
    result.map_err(|problem| problems.push(problem)).ok()
}
