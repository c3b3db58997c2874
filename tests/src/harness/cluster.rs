//! A cluster of two RMQTT nodes as the external broker, from the files that the documents give operators.

use std::fmt::Write as _;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use super::broker::{OFFICE, replaced};
use super::eventually;
use super::port::Port;
use super::process::Process;

const SETTINGS: &str = include_str!("../../../docs/brokers/rmqtt/rmqtt.toml");
const ACCESS: &str = include_str!("../../../docs/brokers/rmqtt/plugins/rmqtt-acl.toml");
const NODES: &str = include_str!("../../../docs/brokers/rmqtt/plugins/rmqtt-cluster-broadcast.toml");
const RETAINER: &str = include_str!("../../../docs/brokers/rmqtt/plugins/rmqtt-retainer.toml");
/// What the lines of the access rules that stand for every terminal have in common.
const TERMINAL: &str = "user = \"t-0001\"";

/// One of the nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Node {
    /// The one that the office connects to.
    OfOffice,
    /// The one that terminals connect to.
    OfTerminals,
}

/// The cluster, in a folder of its own.
pub struct Cluster {
    nodes: [Member; 2],
}

struct Member {
    dir: PathBuf,
    mqtt: Port,
    rpc: Port,
    process: Option<Process>,
}

impl Cluster {
    /// Sets one up in `dir` for users with these names and passwords; it is not started yet.
    ///
    /// # Errors
    /// When a file can't be written.
    pub fn set_up(dir: &Path, users: &[(&str, &str)]) -> anyhow::Result<Self> {
        let member = |name: &str| {
            anyhow::Ok(Member { dir: dir.join(name), mqtt: Port::take()?, rpc: Port::take()?, process: None })
        };
        let nodes = [member("node-1")?, member("node-2")?];
        let addresses = nodes.each_ref().map(|node| node.rpc.address().to_string());
        for (index, node) in nodes.iter().enumerate() {
            let plugins = node.dir.join("plugins");
            fs::create_dir_all(&plugins).with_context(|| format!("can't make {}", plugins.display()))?;
            let settings = replaced(SETTINGS, "id = 1", &format!("id = {}", index + 1))?;
            let settings = replaced(&settings, "127.0.0.1:5363", &addresses[index])?;
            let settings = replaced(&settings, "127.0.0.1:18650", &node.mqtt.address().to_string())?;
            let settings = replaced(&settings, "/etc/rmqtt/plugins", &plugins.display().to_string())?;
            fs::write(node.dir.join("rmqtt.toml"), settings)?;
            fs::write(plugins.join("rmqtt-acl.toml"), access(users)?)?;
            let known = replaced(NODES, "127.0.0.1:5363", &addresses[0])?;
            let known = replaced(&known, "127.0.0.1:5364", &addresses[1])?;
            fs::write(plugins.join("rmqtt-cluster-broadcast.toml"), known)?;
            fs::write(plugins.join("rmqtt-retainer.toml"), RETAINER)?;
        }
        Ok(Self { nodes })
    }

    /// Where a node listens for MQTT.
    #[must_use]
    pub fn address(&self, node: Node) -> SocketAddr {
        self.nodes[node as usize].mqtt.address()
    }

    /// Starts both nodes and waits until they listen.
    ///
    /// # Errors
    /// When the program has not been built.
    pub fn start(&mut self) -> anyhow::Result<()> {
        self.start_node(Node::OfOffice)?;
        self.start_node(Node::OfTerminals)
    }

    /// Starts a node and waits until it listens.
    ///
    /// # Errors
    /// When the program has not been built.
    pub fn start_node(&mut self, node: Node) -> anyhow::Result<()> {
        let member = &mut self.nodes[node as usize];
        let mut command = Command::new(program()?);
        command.args(["-f", "rmqtt.toml"]).current_dir(&member.dir).env("RUST_LOG", "warn");
        let mut process = Process::start("rmqtt-node", &mut command, &member.dir.join("log"))?;
        let (mqtt, rpc) = (member.mqtt.address(), member.rpc.address());
        eventually("an RMQTT node listens", || {
            if let Some(status) = process.ended() {
                panic!("an RMQTT node ended with {status}:\n{}", process.tail());
            }
            TcpStream::connect(mqtt).and_then(|_| TcpStream::connect(rpc)).ok()
        });
        member.process = Some(process);
        Ok(())
    }

    /// SIGKILL.
    pub fn kill(&mut self, node: Node) {
        self.nodes[node as usize].process = None;
    }
}

/// The documents' access rules for these users.
fn access(users: &[(&str, &str)]) -> anyhow::Result<String> {
    let of_terminal: Vec<&str> = ACCESS.lines().filter(|line| line.contains(TERMINAL)).collect();
    ensure!(of_terminal.len() == 3, "the documents' rules should have three lines with {TERMINAL}");
    let mut rules = String::new();
    for line in ACCESS.lines() {
        if !line.contains(TERMINAL) {
            writeln!(rules, "{line}")?;
        } else if line == of_terminal[0] {
            for (user, password) in users.iter().filter(|(user, _)| *user != OFFICE) {
                for line in &of_terminal {
                    writeln!(rules, "{}", line.replace("t-0001", user).replace("SECRET", password))?;
                }
            }
        }
    }
    let office = users.iter().find(|(user, _)| *user == OFFICE).context("the office is no user")?;
    replaced(&rules, "PASSWORD", office.1)
}

/// The program, which is built beside this workspace's, not with it.
fn program() -> anyhow::Result<PathBuf> {
    let here = std::env::current_exe().context("can't tell where this program is")?;
    let found =
        here.ancestors().map(|folder| folder.join("rmqtt-node/debug/rmqtt-node")).find(|path| path.is_file());
    found.context("rmqtt-node is not built: `make rmqtt-node` builds it")
}
