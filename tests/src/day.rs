//! The demo day: requests of bulky waste on real towns, drawn anew for any date from a seed.
//!
//! Pure: the same date and seed give the same day. The order of requests within a district is the order of the
//! round, so a file of them needs no column for it. Towns are facts (see `demo/CREDITS.md`); all else is drawn.

use geo::{Distance, Haversine, Point};
use jiff::civil::Date;
use meguri_config::City;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

/// Most items of one request; the file has columns for that many.
pub const MOST_ITEMS: usize = 5;
/// Stickers are sold at these values.
const STICKERS: [u32; 2] = [1_000, 250];

/// A town and the district that it lies in.
#[derive(Debug, Clone, PartialEq)]
pub struct Town {
    /// Ward (区).
    pub ward: String,
    /// District (地区), one vehicle's.
    pub district: String,
    /// Town with its chome (町丁目).
    pub town: String,
    /// Latitude.
    pub lat: f64,
    /// Longitude.
    pub lng: f64,
}

/// An entry of the catalogue (品目).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kind {
    /// Its name.
    pub name: String,
    /// Its reading, for search.
    pub reading: String,
    /// Its fee in yen, a demo value.
    pub yen: u32,
    /// Whether it is one of the four appliances of the recycling law.
    pub recycling: bool,
    /// How often it is applied for, against the others.
    pub weight: u32,
    /// How many of it one request asks for at most.
    pub most: u32,
}

/// One line of items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The item's name.
    pub name: String,
    /// How many.
    pub count: u32,
    /// Stickers as (yen, count).
    pub tickets: Vec<(u32, u32)>,
    /// Whether a recycling ticket belongs to it.
    pub recycling: bool,
}

/// One request (申込). Everything that looks like a resident's is drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Reception number (受付番号), four digits, unique within its date and district.
    pub reception: String,
    /// The day of collection.
    pub date: Date,
    /// Where, and in which district.
    pub town: Town,
    /// Block and lot (番地).
    pub lot: String,
    /// Building and room.
    pub building: String,
    /// Placing spot (排出場所).
    pub spot: String,
    /// What the crew should know.
    pub notice: String,
    /// Where it stands.
    pub position: (f64, f64),
    /// How it is paid, in the reception's words: 納付券, キャッシュレス or 免除.
    pub payment: &'static str,
    /// Whether it is cancelled; only files of changes say so.
    pub cancelled: bool,
    /// What is to be collected.
    pub items: Vec<Asked>,
}

/// The demo's towns.
#[must_use]
pub fn towns() -> Vec<Town> {
    table(include_str!("../demo/towns.csv"), |cells| Town {
        ward: cells[0].to_owned(),
        district: cells[1].to_owned(),
        town: cells[2].to_owned(),
        lat: number(cells[3]),
        lng: number(cells[4]),
    })
}

/// The demo's catalogue.
#[must_use]
pub fn catalogue() -> Vec<Kind> {
    table(include_str!("../demo/items.csv"), |cells| Kind {
        name: cells[0].to_owned(),
        reading: cells[1].to_owned(),
        yen: number(cells[2]),
        recycling: cells[3] == "1",
        weight: number(cells[4]),
        most: number(cells[5]),
    })
}

/// The demo's plan, with contracts for the fiscal year (April to March) of `date` and its neighbours.
///
/// # Errors
/// When `demo/city.toml` is not a plan.
pub fn city(date: Date) -> anyhow::Result<City> {
    let text = include_str!("../demo/city.toml");
    let mut city = City::parse(std::path::Path::new("city.toml"), text)?;
    let year = if date.month() < 4 { date.year() - 1 } else { date.year() };
    for contract in &mut city.contract {
        contract.from = Date::new(year - 1, 4, 1)?;
        contract.until = Date::new(year + 2, 3, 31)?;
    }
    Ok(city)
}

/// Draws `each` requests for every district, in the order of the rounds.
#[must_use]
pub fn requests(date: Date, each: usize, seed: u64) -> Vec<Request> {
    let mut districts: Vec<String> = Vec::new();
    for town in towns() {
        if !districts.contains(&town.district) {
            districts.push(town.district);
        }
    }
    let mut random = StdRng::seed_from_u64(seed ^ day_number(date));
    districts
        .iter()
        .flat_map(|district| {
            // Rounds differ a little in length, as in life.
            let spread = (each / 8).max(1);
            let count = random.random_range(each - spread..=each + spread);
            let seed = random.random();
            round(date, district, count, seed)
        })
        .collect()
}

/// Draws one district's requests in the order of its round.
#[must_use]
pub fn round(date: Date, district: &str, count: usize, seed: u64) -> Vec<Request> {
    let towns: Vec<Town> = towns().into_iter().filter(|town| town.district == district).collect();
    round_in(date, &towns, count, seed)
}

/// As [`round`], in towns of any city.
#[must_use]
pub fn round_in(date: Date, towns: &[Town], count: usize, seed: u64) -> Vec<Request> {
    let kinds = catalogue();
    let mut random = StdRng::seed_from_u64(seed);
    // Numbers are handed out over weeks to the whole city: they rise with gaps.
    let mut reception = random.random_range(1..1_500_u32);
    let mut drawn: Vec<Request> = (0..count)
        .filter_map(|_| {
            reception += random.random_range(1..=8_u32);
            let town = towns.choose(&mut random)?;
            Some(request(date, town, reception % 10_000, &kinds, &mut random))
        })
        .collect();
    order(&mut drawn);
    drawn
}

fn request(date: Date, town: &Town, reception: u32, kinds: &[Kind], random: &mut StdRng) -> Request {
    let block = random.random_range(1..=24);
    let house = random.random_range(1..=30);
    let lot = format!("{block}番{house}号");
    let flat = random.random_ratio(2, 5);
    let building = if flat { flat_name(random) } else { String::new() };
    let spots: &[&str] = if flat {
        &[
            "1階 集積場所横",
            "駐輪場の前",
            "エントランス前 右側",
            "1階 駐車場 来客用の横",
            "ごみ置場のシャッター前",
        ]
    } else {
        &["玄関前", "門の前", "駐車場", "勝手口の横", "家の前 電柱の横", "道路側の塀の前", "車庫の前（左側）"]
    };
    let notices = [
        "坂の上です",
        "前の道が狭いです（2t車まで）",
        "犬がいます",
        "鍵はかかっていません",
        "階段の下に置きます",
    ];
    let payment = match random.random_range(0..100) {
        0..70 => "納付券",
        70..93 => "キャッシュレス",
        _ => "免除",
    };
    let lines = [1, 1, 1, 1, 2, 2, 2, 3, 4, 5].choose(random).copied().unwrap_or(1);
    let mut items: Vec<Asked> = Vec::new();
    while items.len() < lines {
        let Ok(kind) = kinds.choose_weighted(random, |kind| kind.weight) else { break };
        if items.iter().all(|item| item.name != kind.name) {
            // Most ask for one of a kind.
            let count = if random.random_ratio(3, 4) { 1 } else { random.random_range(1..=kind.most) };
            let tickets = if payment == "納付券" { stickers(kind.yen * count) } else { Vec::new() };
            items.push(Asked { name: kind.name.clone(), count, tickets, recycling: kind.recycling });
        }
    }
    // About 200 m around the town's middle.
    let position =
        (town.lat + random.random_range(-0.0018..0.0018), town.lng + random.random_range(-0.0022..0.0022));
    Request {
        reception: format!("{reception:04}"),
        date,
        town: town.clone(),
        lot,
        building,
        spot: spots.choose(random).copied().unwrap_or_default().to_owned(),
        notice: if random.random_ratio(1, 8) {
            notices.choose(random).copied().unwrap_or_default().to_owned()
        } else {
            String::new()
        },
        position,
        payment,
        cancelled: false,
        items,
    }
}

fn flat_name(random: &mut StdRng) -> String {
    let first = ["みどり", "あおば", "ひかり", "さくら", "せせらぎ", "川風"]
        .choose(random)
        .copied()
        .unwrap_or_default();
    let last =
        ["ハイツ", "コーポ", "マンション", "荘", "住宅1号棟"].choose(random).copied().unwrap_or_default();
    format!("{first}{last} {}号室", random.random_range(1..=6) * 100 + random.random_range(1..=8))
}

/// The fewest stickers that make up a fee.
fn stickers(mut yen: u32) -> Vec<(u32, u32)> {
    let mut used = Vec::new();
    for value in STICKERS {
        if yen >= value {
            used.push((value, yen / value));
            yen %= value;
        }
    }
    used
}

/// Brings requests into the order of a short tour: nearest neighbour first, then 2-opt until nothing gains.
fn order(requests: &mut Vec<Request>) {
    let Some(mut last) = requests.first().map(|request| request.position) else { return };
    let mut left = std::mem::take(requests);
    while !left.is_empty() {
        let nearest = (0..left.len())
            .min_by(|&a, &b| metres(left[a].position, last).total_cmp(&metres(left[b].position, last)))
            .unwrap_or(0);
        let next = left.swap_remove(nearest);
        last = next.position;
        requests.push(next);
    }
    // 2-opt is quadratic a pass: beyond this a tour by nearest neighbours will do.
    if requests.len() > 200 {
        return;
    }
    let mut gained = true;
    while gained {
        gained = false;
        for i in 1..requests.len() {
            for j in i + 1..requests.len() {
                let at = |index: usize| requests[index].position;
                // The tour is open: behind its last stop there is nothing to reconnect.
                let after =
                    |from: usize| requests.get(j + 1).map_or(0.0, |next| metres(at(from), next.position));
                let now = metres(at(i - 1), at(i)) + after(j);
                let then = metres(at(i - 1), at(j)) + after(i);
                if then + 1e-6 < now {
                    requests[i..=j].reverse();
                    gained = true;
                }
            }
        }
    }
}

/// How far two positions lie apart as the crow flies.
#[must_use]
pub fn metres(a: (f64, f64), b: (f64, f64)) -> f64 {
    Haversine.distance(Point::new(a.1, a.0), Point::new(b.1, b.0))
}

/// What the office hears in the middle of the day: about `count` of the requests, every third cancelled, the others
/// with another spot and one more item.
#[must_use]
pub fn changes(day: &[Request], count: usize, seed: u64) -> Vec<Request> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut chosen: Vec<Request> = day.choose_multiple(&mut random, count).cloned().collect();
    for (index, request) in chosen.iter_mut().enumerate() {
        if index % 3 == 2 {
            request.cancelled = true;
            continue;
        }
        request.spot = "車庫の前に変更".to_owned();
        let bicycle = "自転車";
        if request.items.len() < MOST_ITEMS && request.items.iter().all(|item| item.name != bicycle) {
            let tickets = if request.payment == "納付券" { stickers(500) } else { Vec::new() };
            request.items.push(Asked { name: bicycle.to_owned(), count: 1, tickets, recycling: false });
        }
    }
    chosen
}

/// The requests as a file of the reception system, read by `demo/day.profile.toml` and `demo/changes.profile.toml`.
#[must_use]
pub fn csv(requests: &[Request]) -> String {
    let mut head: Vec<String> = [
        "受付番号",
        "収集日",
        "地区",
        "区",
        "町丁目",
        "番地",
        "建物",
        "排出場所",
        "連絡事項",
        "緯度",
        "経度",
        "支払",
        "状態",
    ]
    .map(str::to_owned)
    .to_vec();
    for n in 1..=MOST_ITEMS {
        head.extend(["品目", "個数", "券", "リサイクル"].map(|name| format!("{name}{n}")));
    }
    let mut text = line(&head);
    for request in requests {
        let mut cells = vec![
            request.reception.clone(),
            request.date.to_string(),
            request.town.district.clone(),
            request.town.ward.clone(),
            request.town.town.clone(),
            request.lot.clone(),
            request.building.clone(),
            request.spot.clone(),
            request.notice.clone(),
            format!("{:.6}", request.position.0),
            format!("{:.6}", request.position.1),
            request.payment.to_owned(),
            if request.cancelled { "取消" } else { "予定" }.to_owned(),
        ];
        for n in 0..MOST_ITEMS {
            let Some(item) = request.items.get(n) else {
                cells.extend([const { String::new() }; 4]);
                continue;
            };
            let tickets: Vec<String> =
                item.tickets.iter().map(|(yen, count)| format!("{yen}x{count}")).collect();
            cells.extend([
                item.name.clone(),
                item.count.to_string(),
                tickets.join("+"),
                if item.recycling { "1" } else { "" }.to_owned(),
            ]);
        }
        text.push_str(&line(&cells));
    }
    text
}

/// One line of CSV (RFC 4180).
fn line(cells: &[String]) -> String {
    let quoted: Vec<String> = cells
        .iter()
        .map(|cell| {
            let plain = !cell.contains([',', '"', '\n', '\r']);
            if plain { cell.clone() } else { format!("\"{}\"", cell.replace('"', "\"\"")) }
        })
        .collect();
    quoted.join(",") + "\n"
}

/// The rows of one of the demo's own tables, which hold no quotes; a test looks at every cell.
fn table<T>(text: &str, row: impl Fn(&[&str]) -> T) -> Vec<T> {
    text.lines().skip(1).map(|line| row(&line.split(',').collect::<Vec<_>>())).collect()
}

fn number<T: std::str::FromStr + Default>(cell: &str) -> T {
    cell.parse().unwrap_or_default()
}

fn day_number(date: Date) -> u64 {
    (i64::from(date.year()) * 10_000 + i64::from(date.month()) * 100 + i64::from(date.day())).unsigned_abs()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use jiff::civil::date;

    use super::*;

    #[test]
    fn tables_are_whole() {
        let (towns, kinds) = (towns(), catalogue());
        assert_eq!(towns.len(), 60);
        assert!(kinds.len() >= 120, "{}", kinds.len());
        for town in &towns {
            assert!((34.2..34.7).contains(&town.lat) && (132.2..132.7).contains(&town.lng), "{town:?}");
        }
        for kind in &kinds {
            assert!(kind.yen > 0 && kind.yen % 250 == 0 && kind.weight > 0 && kind.most > 0, "{kind:?}");
            let kana = |c: char| ('ぁ'..='ー').contains(&c) || "（）".contains(c);
            assert!(!kind.reading.is_empty() && kind.reading.chars().all(kana), "{kind:?}");
        }
        let city = city(date(2027, 2, 3)).unwrap();
        assert_eq!(city.vehicle.len(), 12);
        assert!(towns.iter().all(|town| city.district(&town.district).unwrap().ward == town.ward));
    }

    #[test]
    fn same_seed_same_day() {
        let day = requests(date(2026, 4, 1), 20, 7);
        assert_eq!(csv(&day), csv(&requests(date(2026, 4, 1), 20, 7)));
        assert_ne!(csv(&day), csv(&requests(date(2026, 4, 2), 20, 7)));
        assert!((200..=280).contains(&day.len()), "{}", day.len());
        assert!(day.iter().any(|request| request.payment == "免除"));
        assert!(day.iter().any(|request| request.items.len() == MOST_ITEMS));
        let mut numbers: Vec<_> = day.iter().map(|r| (&r.town.district, &r.reception)).collect();
        numbers.sort();
        numbers.dedup();
        assert_eq!(numbers.len(), day.len());
    }

    #[test]
    fn fees_are_made_of_stickers() {
        assert_eq!(stickers(1_250), [(1_000, 1), (250, 1)]);
        assert_eq!(stickers(750), [(250, 3)]);
        assert!(stickers(0).is_empty());
    }

    #[test]
    fn rounds_are_short_tours() {
        let length = |day: &[Request]| -> f64 {
            day.windows(2).map(|pair| metres(pair[0].position, pair[1].position)).sum()
        };
        let day = round(date(2026, 4, 1), "中区A", 40, 3);
        let mut shuffled = day.clone();
        shuffled.sort_by(|a, b| a.reception.cmp(&b.reception));
        assert!(length(&day) * 2.0 < length(&shuffled), "{} {}", length(&day), length(&shuffled));
    }

    #[test]
    fn changes_keep_the_key() {
        let day = requests(date(2026, 4, 1), 20, 7);
        let changes = changes(&day, 9, 1);
        assert_eq!(changes.iter().filter(|change| change.cancelled).count(), 3);
        assert!(
            changes
                .iter()
                .all(|change| day.iter().any(|r| r.reception == change.reception && r.town == change.town))
        );
    }
}
