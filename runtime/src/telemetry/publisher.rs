//! Our own face of an MQTT connection, and the only code that knows the library behind it.
//!
//! One [`Publisher`] is one connection from the attempt to its end. It never connects by itself again: when and how often
//! is the session's business, and so is what to send again. The library runs as a task of its own on the same thread; if
//! it panics on what a hostile broker sent, that is one more way for a connection to end.

use super::message::Message;
use super::settings::Settings;
use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v5::{LastWill, Packet};
use rumqttc::{
    AsyncClient, Broker, ConnectionError, Event, EventLoop, MqttOptions, Outgoing, PublishNoticeError, PublishOptions,
};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// At most so many messages are under way unacknowledged: 16 a second where an acknowledgement takes a second.
pub(super) const UNDER_WAY_MAX: usize = 16;
/// A broker may send packets of so many bytes. It has no reason to: nothing is subscribed to.
const INCOMING_BYTES_MAX: u32 = 4 * 1024;
/// Besides those, room for `online`, the description of the site, and `offline`.
const GREETINGS_MAX: usize = 4;

/// What a message is to the one who sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ticket {
    /// Said on every connection; not kept.
    Greeting,
    /// From the buffer, by its number.
    Queued(u64),
}

/// What happens on a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Happened {
    /// The broker took us.
    Connected {
        /// The largest packet that it takes, bytes; `None`: it named none.
        packet_bytes_max: Option<u32>,
    },
    /// The broker has the message. In the order of sending.
    Delivered(Ticket),
    /// The broker does not want the message, and says why. In the order of sending.
    Refused(Ticket, String),
    /// The connection has ended and everything of it is gone; why.
    Ended(String),
}

/// One connection to a broker.
pub(super) trait Publisher {
    /// Hands a message over. At most [`UNDER_WAY_MAX`] and a few greetings may be under way; returns whether it was taken.
    fn publish(&mut self, ticket: Ticket, message: &Message) -> bool;
    /// What happens next. May be dropped while it waits and called again; nothing gets lost.
    async fn happened(&mut self) -> Happened;
    /// Ends in order (the broker forgets the last will) and returns when the connection is gone.
    async fn leave(self);
    /// Ends at once (the broker says the last will) and returns when the connection is gone.
    async fn cut(self);
}

/// Makes connections, one after the other.
pub(super) trait Connect {
    /// What it makes.
    type Link: Publisher;
    /// Begins an attempt. The one before has ended.
    fn connect(&mut self) -> Self::Link;
}

/// Connections to one MQTT 5 broker over TCP.
pub(super) struct Mqtt {
    options: MqttOptions,
}

impl Mqtt {
    /// With a last will.
    pub(super) fn new(settings: &Settings, will: &Message) -> Self {
        let broker = Broker::tcp(settings.broker.host.clone(), settings.broker.port);
        let mut options = MqttOptions::new(settings.client_id.clone(), broker);
        options
            .set_keep_alive(settings.keep_alive_s)
            // the broker keeps no session: what is not acknowledged stays in our own buffer
            .set_clean_start(true)
            .set_connect_timeout(settings.timing().connect)
            .set_max_packet_size(Some(INCOMING_BYTES_MAX))
            .set_outgoing_inflight_upper_limit(u16::try_from(UNDER_WAY_MAX + GREETINGS_MAX).unwrap_or(u16::MAX))
            .set_last_will(LastWill::new(
                will.topic.to_string(),
                will.payload.clone(),
                QoS::AtLeastOnce,
                will.retain,
                None,
            ));
        Self { options }
    }
}

impl Connect for Mqtt {
    type Link = MqttLink;

    fn connect(&mut self) -> MqttLink {
        let (client, library) =
            AsyncClient::builder(self.options.clone()).capacity(UNDER_WAY_MAX + GREETINGS_MAX).build();
        let (tell, told) = mpsc::channel(2);
        let task = tokio::spawn(drive(library, tell));
        MqttLink { client, told, task, under_way: VecDeque::new() }
    }
}

type Notice = Pin<Box<dyn Future<Output = Result<(), PublishNoticeError>> + Send>>;

/// One connection: the library's task, and what is under way on it.
pub(super) struct MqttLink {
    client: AsyncClient,
    told: mpsc::Receiver<Happened>,
    task: JoinHandle<()>,
    under_way: VecDeque<(Ticket, Notice)>,
}

impl Publisher for MqttLink {
    fn publish(&mut self, ticket: Ticket, message: &Message) -> bool {
        let options = PublishOptions::new(QoS::AtLeastOnce).retain(message.retain);
        match self.client.try_publish_tracked(&*message.topic, &*message.payload, options) {
            Ok(notice) => {
                self.under_way.push_back((ticket, Box::pin(notice.wait_completion_async())));
                true
            }
            Err(_) => false,
        }
    }

    async fn happened(&mut self) -> Happened {
        poll_fn(|context| self.poll_happened(context)).await
    }

    async fn leave(mut self) {
        if self.client.disconnect_now().await.is_ok() {
            while !matches!(self.told.recv().await, None | Some(Happened::Ended(_))) {}
        }
        self.cut().await;
    }

    async fn cut(self) {
        self.task.abort();
        // an aborted or panicked task is a connection that is gone, which is all that is asked for
        let _ = self.task.await;
    }
}

impl MqttLink {
    fn poll_happened(&mut self, context: &mut Context<'_>) -> Poll<Happened> {
        while let Some((ticket, notice)) = self.under_way.front_mut() {
            let Poll::Ready(result) = notice.as_mut().poll(context) else { break };
            let ticket = *ticket;
            self.under_way.pop_front();
            match result {
                Ok(()) => return Poll::Ready(Happened::Delivered(ticket)),
                // the connection went away under it: it is neither delivered nor refused
                Err(PublishNoticeError::Recv | PublishNoticeError::SessionReset) => {}
                Err(why) => return Poll::Ready(Happened::Refused(ticket, why.to_string())),
            }
        }
        self.told
            .poll_recv(context)
            .map(|told| told.unwrap_or_else(|| Happened::Ended("the MQTT library failed".into())))
    }
}

/// Runs the library until the connection ends. What it would do next, connect again, is not wanted: it is dropped, and
/// with it the socket, before the end is told.
async fn drive(mut library: EventLoop, tell: mpsc::Sender<Happened>) {
    let mut pings_unanswered = 0u32;
    let why = loop {
        match library.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(ack))) => {
                let packet_bytes_max = ack.properties.and_then(|p| p.max_packet_size);
                if tell.send(Happened::Connected { packet_bytes_max }).await.is_err() {
                    return;
                }
            }
            Ok(Event::Outgoing(Outgoing::PingReq)) => pings_unanswered += 1,
            Ok(Event::Incoming(Packet::PingResp)) if pings_unanswered > 0 => pings_unanswered -= 1,
            Ok(Event::Incoming(Packet::PubAck(_)) | Event::Outgoing(_) | Event::Auth(_)) => {}
            // the reason follows as an error
            Ok(Event::Incoming(Packet::Disconnect(_))) => {}
            // a flood of what nobody asked for must not keep the thread busy
            Ok(Event::Incoming(packet)) => {
                break format!("the broker sent what nobody asked for: {:?}", packet.packet_type());
            }
            Err(ConnectionError::RequestsDone) => break "left in order".into(),
            Err(why) => break why.to_string(),
        }
    };
    drop(library);
    let _ = tell.send(Happened::Ended(why)).await;
}
