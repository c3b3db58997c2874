//! A file's lines become requests, or problems that name line and column.

use std::collections::{BTreeSet, HashMap};

use jiff::civil::Date;
use meguri_config::City;
use meguri_proto::{Item, Payment, Place, Ticket, VehicleId, limits};

use super::columns::{Columns, ItemSource, ItemSources, Source};
use super::profile::{Covers, Items, Profile};
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
    let columns = Columns::resolve(profile, &table.header)?;
    let mut reader = Reader {
        profile,
        city,
        days,
        columns,
        keys: HashMap::new(),
        reading: Reading {
            skipped: profile.skip.iter().map(|rule| Skipped { rule: rule.name.clone(), lines: 0 }).collect(),
            ..Reading::default()
        },
    };
    loop {
        match table.next()? {
            Next::Line(line) => reader.line(&line),
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
    city: &'a City,
    days: &'a [Date],
    columns: Columns,
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
    fn line(&mut self, line: &Line) {
        self.reading.lines += 1;
        let skips = self.profile.skip.iter().zip(&self.columns.skip);
        if let Some(rule) = skips
            .enumerate()
            .find_map(|(index, (rule, column))| rule.skips(&line.cells[*column]).then_some(index))
        {
            self.reading.skipped[rule].lines += 1;
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

/// Keeps the problem and goes on, so that one report names all of a line's.
fn kept<T>(problems: &mut Vec<Problem>, result: Result<T, Problem>) -> Option<T> {
    result.map_err(|problem| problems.push(problem)).ok()
}
