//! A Lambda function in Rust: it does as its event says, see tests/local/test_natives.py.

use lambda_runtime::streaming::{channel, Body, Response};
use lambda_runtime::{run, service_fn, Diagnostic, Error, LambdaEvent};
use serde_json::{json, Value};
use std::sync::atomic::{AtomicU64, Ordering};
use std::{env, path::Path, process, time::Duration};

static CALLS: AtomicU64 = AtomicU64::new(0);

#[derive(Debug)]
struct QuotaError;

impl From<QuotaError> for Diagnostic {
    fn from(_: QuotaError) -> Diagnostic {
        Diagnostic {
            error_type: "QuotaError".into(),
            error_message: "no more than three".into(),
        }
    }
}

async fn handle(event: LambdaEvent<Value>) -> Result<Value, QuotaError> {
    let (event, context) = event.into_parts();
    let calls = CALLS.fetch_add(1, Ordering::SeqCst) + 1;
    println!("call {calls}");
    match event["do"].as_str() {
        Some("fail") => return Err(QuotaError),
        Some("panic") => panic!("kaboom"),
        Some("exit") => process::exit(7),
        Some("nap") => tokio::time::sleep(Duration::from_secs(3600)).await,
        _ => {}
    }
    Ok(json!({
        "event": event,
        "calls": calls,
        "pid": process::id(),
        "requestId": context.request_id,
        "arn": context.invoked_function_arn,
        "deadline": context.deadline,
        "trace": context.xray_trace_id,
        "custom": context.client_context.map(|given| given.custom),
        "memory": context.env_config.memory,
    }))
}

async fn stream(event: LambdaEvent<Value>) -> Result<Response<Body>, Error> {
    let (mut sender, body) = channel();
    tokio::spawn(async move {
        sender.send_data("one ".into()).await.expect("the reply is read");
        if let Some(wait) = event.payload["wait"].as_str() {
            while !Path::new(wait).exists() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        sender.send_data("two".into()).await.expect("the reply is read");
    });
    Ok(Response::from(body))
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    match env::var("_HANDLER").as_deref() {
        Ok("stream") => run(service_fn(stream)).await,
        _ => run(service_fn(handle)).await,
    }
}
