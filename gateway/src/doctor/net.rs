//! What listens and answers: the gateway on this folder, the ports of the settings, a broker of somebody else's.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs as _};
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use anyhow::Context as _;
use meguri_config::City;
use meguri_proto::{DownTopic, TerminalId, Topic, limits};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Packet, PubAckReason, SubscribeReasonCode};
use rumqttc::v5::{AsyncClient, ConnectionError, Event};

use super::{Finding, Scope};
use crate::broker::{self, Login};
use crate::config::External;
use crate::control::{self, ControlError};
use crate::ops::{Reply, Request};
use crate::store::{self, StoreError};
use crate::tls;

/// Longest wait for an answer from this machine.
const WAIT: Duration = Duration::from_secs(5);
/// A terminal's name that no terminal should have, for trying whether the office may publish.
const NOBODY: &str = "doctor-tries-its-access";

/// Whether a gateway runs on the folder.
#[derive(Debug)]
pub(super) enum Gateway {
    /// It answers.
    Answers,
    /// One holds the folder and does not answer, or not as it should: why.
    Silent(String),
    /// None runs.
    None,
}

/// Asks the gateway on `data` something that it answers at once.
pub(super) fn ask(data: &Path) -> Gateway {
    let (tell, told) = mpsc::channel();
    let folder = data.to_owned();
    // A gateway that hangs is asked from a thread that nobody waits for.
    std::thread::spawn(move || {
        // Whoever asked may not have waited.
        let _ = tell.send(control::ask(&folder, &mut Request::NoticeList, &mut |_| ()));
    });
    match told.recv_timeout(WAIT) {
        Ok(Ok(_)) => Gateway::Answers,
        Ok(Err(ControlError::NotRunning)) if !is_held(data) => Gateway::None,
        Ok(Err(ControlError::NotRunning)) => {
            Gateway::Silent("it has no socket for commands; it may be starting or stopping".to_owned())
        }
        Ok(Err(error)) => Gateway::Silent(error.to_string()),
        Err(_) => Gateway::Silent(format!("no answer within {} s", WAIT.as_secs())),
    }
}

/// Whether a process holds the folder. Nothing is made in a folder without a store.
fn is_held(data: &Path) -> bool {
    data.join(store::STORE_FILE).exists() && matches!(store::lock(data), Err(StoreError::Held { .. }))
}

pub(super) fn gateway(scope: &Scope) -> anyhow::Result<Vec<Finding>> {
    Ok(vec![match &scope.gateway {
        Gateway::Answers => Finding::ok("サーバーは動いていて、答えます", "the gateway runs and answers"),
        Gateway::None => Finding::warning("サーバーは動いていません", "no gateway runs on this folder")
            .todo(scope.command("serve"), scope.command("serve")),
        Gateway::Silent(why) => Finding::error(
            format!("サーバーは動いていますが、答えません: {why}"),
            format!("a gateway runs on this folder and does not answer: {why}"),
        )
        .todo(
            "ログを見て、続くなら起動し直してください（受け取った分は失われません）",
            "look at its log; if it stays so, start it anew: what was acknowledged is not lost",
        ),
    }])
}

pub(super) fn ports(scope: &Scope) -> anyhow::Result<Vec<Finding>> {
    let Ok(settings) = &scope.settings else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    let runs = matches!(scope.gateway, Gateway::Answers);
    let mut wanted = vec![("web.listen", settings.web.listen)];
    if settings.mqtt.external.is_none() {
        wanted.push(("mqtt.listen", settings.mqtt.listen));
    }
    // A free one of the system's is only known to the gateway.
    for (name, address) in wanted.into_iter().filter(|(_, address)| address.port() != 0) {
        found.push(match (runs, free(address)) {
            (false, Ok(())) => {
                Finding::ok(format!("{name} {address} は空いています"), format!("{name} {address} is free"))
            }
            (false, Err(error)) => Finding::error(
                format!("{name} {address} は使えません: {error}"),
                format!("{name} {address} can't be listened on: {error}"),
            )
            .todo(
                format!("使っているプログラムを止めるか、{name} を変えてください"),
                format!("stop what listens there (`ss -ltnp` shows it), or set another {name}"),
            ),
            (true, _) if name == "web.listen" => match page(address) {
                Ok(()) => Finding::ok(
                    format!("画面 {address} は答えます"),
                    format!("the pages at {address} answer"),
                ),
                Err(error) => Finding::error(
                    format!("画面 {address} が答えません: {error}"),
                    format!("the pages at {address} do not answer: {error}"),
                )
                .todo(
                    "サーバーが別の設定で動いていないか、ログを確かめてください",
                    "look whether the gateway runs with other settings, and at its log",
                ),
            },
            (true, _) => match TcpStream::connect_timeout(&address, WAIT) {
                Ok(_) => Finding::ok(
                    format!("ブローカー {address} は答えます"),
                    format!("the broker at {address} answers"),
                ),
                Err(error) => Finding::error(
                    format!("ブローカー {address} が答えません: {error}"),
                    format!("the broker at {address} does not answer: {error}"),
                )
                .todo(
                    "サーバーが別の設定で動いていないか、ログを確かめてください",
                    "look whether the gateway runs with other settings, and at its log",
                ),
            },
        });
    }
    Ok(found)
}

fn free(address: SocketAddr) -> io::Result<()> {
    TcpListener::bind(address).map(drop)
}

/// Whether what listens there is this gateway's pages.
fn page(address: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&address, WAIT)?;
    stream.set_read_timeout(Some(WAIT))?;
    write!(stream, "GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut head = [0; 12];
    stream.read_exact(&mut head)?;
    match &head {
        b"HTTP/1.1 200" | b"HTTP/1.1 303" | b"HTTP/1.1 307" => Ok(()),
        other => Err(io::Error::other(format!("it says {:?}", String::from_utf8_lossy(other)))),
    }
}

pub(super) fn broker(scope: &Scope) -> anyhow::Result<Vec<Finding>> {
    let Ok(settings) = &scope.settings else { return Ok(Vec::new()) };
    let Some(external) = &settings.mqtt.external else { return Ok(Vec::new()) };
    let place = format!("{}:{}", external.host, external.port);
    let addresses = (external.host.as_str(), external.port).to_socket_addrs();
    let addresses: Vec<_> = addresses.with_context(|| format!("can't look up {place}"))?.collect();
    let reached =
        addresses.iter().map(|address| TcpStream::connect_timeout(address, WAIT)).find(Result::is_ok);
    if reached.is_none() {
        return Ok(vec![
            Finding::error(format!("ブローカー {place} に届きません"), format!("the broker {place} can't be reached")).todo(
                "ブローカーが動いているか、mqtt.external を確かめてください。端末は記録を続け、あとで送ります",
                "look whether it runs, and at mqtt.external; terminals go on recording and send later",
            ),
        ]);
    }
    if !matches!(scope.gateway, Gateway::None) {
        // Where the user name is the client id, a second login would throw the gateway out.
        let mut found = vec![Finding::ok(
            format!("ブローカー {place} に届きます（サーバーが動いているので、ログインは試していません）"),
            format!("the broker {place} can be reached (a login is not tried beside a running gateway)"),
        )];
        if external.dynamic_security
            && matches!(scope.gateway, Gateway::Answers)
            && let Ok(Reply::Health(report)) = control::ask(&settings.data, &mut Request::Health, &mut |_| ())
        {
            found.push(if report.checks.access {
                Finding::ok(
                    format!("ブローカー {place} に、どの端末を通すかを伝えてあります"),
                    format!("the broker {place} knows which terminals may come in"),
                )
            } else {
                Finding::error(
                    format!("ブローカー {place} に、どの端末を通すかを伝えられていません。締め出した端末がつながっているかもしれません"),
                    format!("the broker {place} could not be told which terminals may come in; a blocked one may still be connected"),
                )
                .todo(
                    "理由はサーバーのログにあります。mqtt.external.user に役割 admin があるか、プラグインが読み込まれているかを確かめてください",
                    "the gateway's log says why; look whether mqtt.external.user has the role admin there, and whether the plugin is loaded",
                )
            });
        }
        return Ok(found);
    }
    let path = settings.data.join(&external.password_file);
    let password = match std::fs::read_to_string(&path) {
        Ok(password) => password.trim().to_owned(),
        Err(error) => {
            let path = path.display();
            return Ok(vec![
                Finding::error(
                    format!("ブローカーのパスワード {path} が読めません: {error}"),
                    format!("the broker's password can't be read from {path}: {error}"),
                )
                .todo(
                    "mqtt.external.password_file を確かめてください",
                    "look at mqtt.external.password_file",
                ),
            ]);
        }
    };
    let tls = external.authority.as_ref().map(|path| tls::client(&settings.in_data(path))).transpose()?;
    let External { host, port, user, .. } = external.clone();
    let login = Login { host, port, user, password, tls };
    let city = City::read(&settings.city_file()).context("without the plan its topics are unknown")?;
    let filter = Topic::office_filter(&city.id);
    let nobody: TerminalId = NOBODY.parse().context("this is a fault of the program")?;
    let topic = Topic::down(city.id, nobody, DownTopic::Ack).to_string();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("can't start")?;
    let tried =
        runtime.block_on(async { tokio::time::timeout(WAIT, try_broker(&login, &filter, &topic)).await });
    Ok(vec![match tried {
        Ok(Tried::Works) => Finding::ok(
            format!("ブローカー {place} にログインでき、権利もあります"),
            format!("the broker {place} lets the office in, subscribe and publish"),
        ),
        Ok(Tried::Refused(why)) => Finding::error(
            format!("ブローカー {place} がログインを断りました: {why}"),
            format!("the broker {place} refuses the login: {why}"),
        )
        .todo(
            "mqtt.external.user とパスワード、ブローカー側の登録を確かめてください",
            "look at mqtt.external.user, the password, and the broker's own users",
        ),
        Ok(Tried::NoSubscribing) => access(&place, "subscribe", &filter),
        Ok(Tried::NoPublishing) => access(&place, "publish", &topic),
        Ok(Tried::SmallPackets(most)) => Finding::error(
            format!("ブローカー {place} は {most} バイトまでしか受け取りません"),
            format!("the broker {place} takes packets of {most} bytes at most"),
        )
        .todo(
            format!("max_packet_size を {} にしてください", limits::PACKET_BYTES),
            format!(
                "set its max_packet_size to {}: larger day lists would not get through",
                limits::PACKET_BYTES
            ),
        ),
        Err(_) => Finding::error(
            format!("ブローカー {place} が {} 秒以内に答えません", WAIT.as_secs()),
            format!("the broker {place} does not answer within {} s", WAIT.as_secs()),
        )
        .todo("ブローカーのログを確かめてください", "look at the broker's log"),
    }])
}

fn access(place: &str, what: &str, topic: &str) -> Finding {
    Finding::error(
        format!("ブローカー {place} の権利が足りません: {what} {topic}"),
        format!("the broker {place} does not let the office {what} {topic}"),
    )
    .todo(
        "docs/running.md の「外の MQTT ブローカーを使う」の権利を入れてください",
        "give it the access rules of docs/running.md, \"Another broker\"",
    )
}

/// What a broker let the office do.
enum Tried {
    Works,
    Refused(String),
    NoSubscribing,
    NoPublishing,
    SmallPackets(u32),
}

/// Logs in, subscribes to what the office subscribes to, and publishes to nobody. What terminals say meanwhile is left to
/// the gateway's own line: nothing is receipted here, and hello repairs.
async fn try_broker(login: &Login, filter: &str, topic: &str) -> Tried {
    let mut options = login.options(&format!("office-{}", uuid::Uuid::new_v4().simple()));
    options.set_manual_acks(true);
    let (client, mut events) = AsyncClient::new(options, 16);
    let asked = client.try_subscribe(filter, QoS::AtLeastOnce).is_ok()
        && client.try_publish(topic, QoS::AtLeastOnce, false, Vec::new()).is_ok();
    if !asked {
        return Tried::Refused("the client took no requests".to_owned());
    }
    let mut subscribed = false;
    loop {
        match events.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(ack))) => {
                let most = ack.properties.and_then(|properties| properties.max_packet_size);
                if let Some(most) = most.filter(|most| (*most as usize) < limits::PACKET_BYTES) {
                    return Tried::SmallPackets(most);
                }
            }
            Ok(Event::Incoming(Packet::SubAck(ack))) => {
                if !matches!(ack.return_codes.first(), Some(SubscribeReasonCode::Success(_))) {
                    return Tried::NoSubscribing;
                }
                subscribed = true;
            }
            Ok(Event::Incoming(Packet::PubAck(ack))) => {
                if !matches!(ack.reason, PubAckReason::Success | PubAckReason::NoMatchingSubscribers) {
                    return Tried::NoPublishing;
                }
                if subscribed {
                    return Tried::Works;
                }
            }
            Ok(_) => {}
            Err(ConnectionError::ConnectionRefused(reason)) => return Tried::Refused(format!("{reason:?}")),
            // The client's own patience is over: whoever waits for this tells of it.
            Err(ConnectionError::Timeout(_)) => std::future::pending().await,
            Err(error @ ConnectionError::Tls(_)) => return Tried::Refused(broker::problem(&error)),
            Err(_) => return Tried::Refused("it ended the connection".to_owned()),
        }
    }
}
