//! The limits that both sides keep. They are part of the contract: a message beyond one of them is
//! refused by the sender and set aside by the receiver.

/// Largest payload of a day list, in bytes (1 MiB).
pub const LIST_BYTES: usize = 1024 * 1024;
/// Largest payload of every other message, in bytes (256 KiB).
pub const MESSAGE_BYTES: usize = 256 * 1024;
/// Largest MQTT packet that clients and brokers must accept, in bytes: a full list, its topic and properties.
pub const PACKET_BYTES: usize = LIST_BYTES + 8 * 1024;
/// Largest body of one log entry, in bytes.
pub const BODY_BYTES: usize = 16 * 1024;
/// Most entries in one publish.
pub const PUBLISH_ENTRIES: usize = 256;
/// Most publishes of one log that may stand unanswered.
pub const UNANSWERED_PUBLISHES: usize = 4;
/// Most epochs of one log in a hello.
pub const HELLO_EPOCHS: usize = 16;
/// Most documents in a hello.
pub const HELLO_DOCUMENTS: usize = 64;
/// Versions of documents stay below: SQLite's numbers end there.
pub const DOCUMENT_VERSION: u64 = i64::MAX as u64;
/// Most pickups on one day list.
pub const LIST_PICKUPS: usize = 1_000;
/// Most items of one pickup.
pub const PICKUP_ITEMS: usize = 50;
/// Highest count of one item.
pub const ITEM_COUNT: u32 = 999;
/// Most kinds of tickets on one item.
pub const ITEM_TICKETS: usize = 8;
/// Most statements of other terminals about one pickup on a list: the one that stands and one that differs.
pub const LIST_STATEMENTS: usize = 2;
/// Most members of a crew list.
pub const CREW_MEMBERS: usize = 300;
/// Longest id that people choose (city, terminal, contract, vehicle), in bytes.
pub const ID_BYTES: usize = 40;
/// Longest short text (names, towns, item names), in characters.
pub const SHORT_TEXT: usize = 100;
/// Longest long text (address, placing spot, message, note), in characters.
pub const LONG_TEXT: usize = 500;
