//! MQTT out against real brokers and hostile ones, over real sockets.

mod gate;
mod hostile;
mod mosquitto;
mod real;
mod site;
