// A Lambda function in Go: it does as its event says, see tests/local/test_natives.py.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

var calls = 0

type QuotaError struct{ message string }

func (e *QuotaError) Error() string { return e.message }

func handle(ctx context.Context, event map[string]any) (any, error) {
	calls++
	fmt.Println("call", calls)
	switch event["do"] {
	case "fail":
		return nil, &QuotaError{"no more than three"}
	case "panic":
		panic("kaboom")
	case "exit":
		os.Exit(7)
	case "nap":
		time.Sleep(time.Hour)
	case "stream":
		return stream(event), nil
	}
	given, _ := lambdacontext.FromContext(ctx)
	deadline, _ := ctx.Deadline()
	return map[string]any{
		"event":     event,
		"calls":     calls,
		"pid":       os.Getpid(),
		"requestId": given.AwsRequestID,
		"arn":       given.InvokedFunctionArn,
		"deadline":  deadline.UnixMilli(),
		"trace":     ctx.Value("x-amzn-trace-id"),
		"custom":    given.ClientContext.Custom,
		"memory":    lambdacontext.MemoryLimitInMB,
	}, nil
}

func stream(event map[string]any) io.Reader {
	reader, writer := io.Pipe()
	go func() {
		io.WriteString(writer, "one ")
		if wait, ok := event["wait"].(string); ok {
			for _, err := os.Stat(wait); err != nil; _, err = os.Stat(wait) {
				time.Sleep(5 * time.Millisecond)
			}
		}
		if event["fail"] == true {
			writer.CloseWithError(&QuotaError{"late"})
			return
		}
		io.WriteString(writer, "two")
		writer.Close()
	}()
	return reader
}

func main() { lambda.Start(handle) }
