//! A node of an RMQTT cluster: reads `rmqtt.toml` and its plugins' files as `rmqttd` does, and serves until it is ended.

use anyhow::Context as _;
use clap::Parser as _;
use rmqtt::args::CommandArgs;
use rmqtt::context::ServerContext;
use rmqtt::net::Builder;
use rmqtt::node::Node;
use rmqtt::server::MqttServer;
use rmqtt_conf::{Listener, Options, Settings};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    let settings = Settings::init(Options::parse())?;
    let busy = &settings.node.busy;
    let context = ServerContext::new()
        .args(CommandArgs {
            node_id: settings.opts.node_id,
            plugins_default_startups: settings.opts.plugins_default_startups.clone(),
            node_grpc_addrs: settings.opts.node_grpc_addrs.clone(),
            raft_peer_addrs: settings.opts.raft_peer_addrs.clone(),
            raft_leader_id: settings.opts.raft_leader_id,
        })
        .node(Node::new(settings.node.id, busy.loadavg, busy.cpuloadavg, busy.update_interval))
        .task_exec_workers(settings.task.exec_workers)
        .task_exec_queue_max(settings.task.exec_queue_max)
        .busy_check_enable(busy.check_enable)
        .mqtt_max_sessions(settings.mqtt.max_sessions)
        .plugins_config_dir(settings.plugins.dir.as_str())
        .build()
        .await;
    let rpc = &settings.rpc;
    context.node.start_grpc_server(context.clone(), rpc.server_addr, rpc.reuseaddr, rpc.reuseport);
    let starts = |name: &str| settings.plugins.default_startups.iter().any(|started| started == name);
    rmqtt_acl::register_named(&context, "rmqtt-acl", starts("rmqtt-acl"), false).await?;
    rmqtt_retainer::register_named(&context, "rmqtt-retainer", starts("rmqtt-retainer"), false).await?;
    let cluster = "rmqtt-cluster-broadcast";
    rmqtt_cluster_broadcast::register_named(&context, cluster, starts(cluster), true).await?;
    let mut server = MqttServer::new(context);
    for listener in settings.listeners.tcps.values() {
        let bound = tcp(listener).bind().with_context(|| format!("can't listen on {}", listener.addr))?;
        server = server.listener(bound.tcp()?);
    }
    server.build().start();
    tokio::signal::ctrl_c().await?;
    Ok(())
}

/// A listener as its settings say; of what `rmqttd` hands over, all that can be set for plain TCP.
fn tcp(listener: &Listener) -> Builder {
    Builder::new()
        .name(listener.name.as_str())
        .laddr(listener.addr)
        .max_connections(listener.max_connections)
        .max_handshaking_limit(listener.max_handshaking_limit)
        .max_packet_size(listener.max_packet_size.as_u32())
        .backlog(listener.backlog)
        .nodelay(listener.nodelay)
        .reuseaddr(listener.reuseaddr)
        .reuseport(listener.reuseport)
        .tcp_keepalive(listener.tcp_keepalive)
        .allow_anonymous(listener.allow_anonymous)
        .min_keepalive(listener.min_keepalive)
        .max_keepalive(listener.max_keepalive)
        .allow_zero_keepalive(listener.allow_zero_keepalive)
        .keepalive_backoff(listener.keepalive_backoff)
        .max_inflight(listener.max_inflight)
        .handshake_timeout(listener.handshake_timeout)
        .max_mqueue_len(listener.max_mqueue_len)
        .mqueue_rate_limit(listener.mqueue_rate_limit.0, listener.mqueue_rate_limit.1)
        .max_clientid_len(listener.max_clientid_len)
        .max_qos_allowed(listener.max_qos_allowed)
        .max_topic_levels(listener.max_topic_levels)
        .session_expiry_interval(listener.session_expiry_interval)
        .max_session_expiry_interval(listener.max_session_expiry_interval)
        .message_retry_interval(listener.message_retry_interval)
        .message_expiry_interval(listener.message_expiry_interval)
        .max_subscriptions(listener.max_subscriptions)
        .max_topic_aliases(listener.max_topic_aliases)
        .limit_subscription(listener.limit_subscription)
        .idle_timeout(listener.idle_timeout)
}
