//! Whether every terminal with which something went wrong on purpose came through it as it should.

use meguri_core::view::Link;
use meguri_proto::{ConfigState, ConfigWhy};

use super::Rehearsal;
use super::check::{Check, turns};
use super::plan::Fault;

impl Rehearsal {
    /// Those that were away changed over by themselves.
    pub(super) fn without_a_line(&self) -> Check {
        let (mut found, mut alone) = (Vec::new(), 0_usize);
        let away = self.with(|fault| fault == Fault::Offline);
        for (index, seat) in &away {
            let Some(back) = self.world.back(*index) else { continue };
            let next = seat.at(self.plan.instant);
            match self.switches(*index, next).first() {
                Some(switch) if switch.at < back => alone += 1,
                Some(switch) => found.push(format!(
                    "{}: changed over at {} only, back since {back}",
                    seat.terminal, switch.at
                )),
                None => found.push(format!("{}: did not change over", seat.terminal)),
            }
        }
        Check::new(
            format!("切替の半月前から半月後まで圏外だった {} 台が、圏外のまま自分で切り替わった", away.len()),
            format!("{alone} terminals without coverage from two weeks before to two weeks after changed over by themselves meanwhile"),
            found,
        )
        .some(alone)
    }

    /// Those with wrong clocks asked their crews.
    pub(super) fn clocks(&self) -> Check {
        let wrong = self.with(Fault::has_a_wrong_clock);
        let mut found = Vec::new();
        let asked = wrong.iter().filter(|(index, _)| self.crews.dates_said[*index] > 0).count();
        for (index, seat) in &wrong {
            if self.switches(*index, seat.at(self.plan.instant)).is_empty() {
                found.push(format!("{}: did not change over", seat.terminal));
            }
        }
        Check::new(
            format!(
                "時計の狂った {} 台（数時間のずれ、電池切れで2015年）が、早すぎず切り替わった。うち {asked} 台は乗務員が日付を答えた",
                wrong.len()
            ),
            format!(
                "{} terminals with wrong clocks (hours off, or 2015 for want of a battery) changed over and none too early; at {asked} of \
                 them the crew was asked and said the date",
                wrong.len()
            ),
            found,
        )
        .some(asked)
    }

    /// Those whose new address is bad went back, work, and say why.
    pub(super) fn bad_addresses(&self) -> Check {
        let bad = self.with(|fault| matches!(fault, Fault::Unreachable | Fault::Refused));
        let mut found = Vec::new();
        for (index, seat) in &bad {
            let why = if seat.fault == Fault::Refused {
                ConfigWhy::BrokerRefused
            } else {
                ConfigWhy::BrokerUnreachable
            };
            let view = self.world.terminals[*index].view();
            let state = view.as_ref().and_then(|view| view.config.state);
            let said = turns(self.written(*index))
                .any(|turn| turn.change.state == ConfigState::Reverted && turn.change.why == Some(why));
            let works = view.as_ref().is_some_and(|view| view.link == Link::Up && view.waiting == 0);
            if state != Some(ConfigState::Reverted) || !said || !works {
                let link = view.map(|view| (view.link, view.waiting, view.config.why));
                found.push(format!("{}: {state:?}, {why:?} said: {said}, {link:?}", seat.terminal));
            }
        }
        Check::new(
            format!("新しい接続先が誤っていた {} 台は、元の接続先に戻って働き、理由を伝えている（契約は新しいまま）", bad.len()),
            format!("{} terminals whose new address is bad went back to the one before, work, and say why; their contract is the new one", bad.len()),
            found,
        )
        .some(bad.len())
    }

    /// Those with something missing say so and work.
    pub(super) fn peripherals(&self) -> Check {
        let without = self.with(|fault| fault == Fault::Peripheral);
        let mut found = Vec::new();
        for (index, seat) in &without {
            let said = turns(self.written(*index)).any(|turn| {
                turn.change.state == ConfigState::Degraded
                    && turn.change.why == Some(ConfigWhy::PeripheralMissing)
            });
            let worked = self
                .written(*index)
                .iter()
                .any(|written| written.of_pickup() && written.at > self.plan.instant);
            if !said || !worked {
                found.push(format!("{}: said: {said}, worked: {worked}", seat.terminal));
            }
        }
        Check::new(
            format!("機器のない {} 台は「要確認（機器なし）」と伝え、収集の記録は続けられた", without.len()),
            format!(
                "{} terminals with something not plugged in said so, and went on recording",
                without.len()
            ),
            found,
        )
        .some(without.len())
    }

    /// Those whose power failed while they changed over have one configuration, and the right one.
    pub(super) fn killed(&self) -> Check {
        let killed = self.with(|fault| matches!(fault, Fault::Killed(_)));
        let (mut found, mut times) = (Vec::new(), 0);
        for (index, seat) in &killed {
            let cuts = self.world.terminals[*index].cuts;
            times += cuts;
            let switches = self.switches(*index, seat.at(self.plan.instant)).len();
            if switches != 1 || cuts == 0 {
                found.push(format!("{}: {cuts} cuts, changed over {switches} times", seat.terminal));
            }
        }
        Check::new(
            format!("切替の最中に電源が切れた {} 台（計 {times} 回）は、どれも一度だけ、正しく切り替わった", killed.len()),
            format!("{} terminals whose power failed while they changed over ({times} times in all) changed over once, and rightly", killed.len()),
            found,
        )
        .some(killed.len())
    }

    /// Crews of the contractor before can't sign in any more.
    pub(super) fn former_crews(&self) -> Check {
        let found = self
            .crews
            .let_in
            .iter()
            .map(|index| format!("{}: let the former crew in", self.plan.seats[*index].terminal));
        let mut found: Vec<String> = found.collect();
        let out = self.crews.locked_out.iter();
        found.extend(out.map(|(index, member)| {
            format!("{}: {member} could not sign in", self.plan.seats[*index].terminal)
        }));
        let tried = self.crews.turned_away;
        Check::new(
            format!("切替のあと、前の業者の乗務員はサインインできない（試した {tried} 回すべて）。新しい業者の乗務員はできる"),
            format!("After the switchover the former contractor's crews can't sign in ({tried} tries), the new ones can"),
            found,
        )
        .some(tried)
    }
}
