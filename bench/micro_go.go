// SPDX-License-Identifier: MIT

// bench/micro_go.go - see micro.h; Go, on one processor.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	batch  = 10000
	many   = 1000
	spawns = 100
	far    = 60 * time.Second
)

var (
	milliseconds = 200.0
	others       = 100000
)

func cost(count int, pass func()) float64 {
	best, spent := 1e18, 0.0
	for i := 0; i < 5 || spent < milliseconds*1e6; i++ {
		began := time.Now()
		pass()
		ns := float64(time.Since(began).Nanoseconds())
		spent += ns
		if ns < best {
			best = ns
		}
	}
	return best / float64(count)
}

func tell(operation string, value float64) { fmt.Printf("%s %.1f\n", operation, value) }

func yields(n int) func() {
	return func() {
		for i := 0; i < n; i++ {
			runtime.Gosched()
		}
	}
}

func yieldAlways(stop *bool) {
	for !*stop {
		runtime.Gosched()
	}
}

func measureYields(name string, fibers int, turns int) {
	stop := false
	for i := 1; i < fibers; i++ {
		go yieldAlways(&stop)
	}
	tell(name, cost(turns*fibers, yields(turns)))
	stop = true
	runtime.Gosched()
}

func measureSpawn() {
	finished := 0
	tell("spawn", cost(batch, func() {
		for i := 0; i < batch/spawns; i++ {
			finished = 0
			for j := 0; j < spawns; j++ {
				go func() { finished++ }()
			}
			for finished < spawns {
				runtime.Gosched()
			}
		}
	}))
}

func measureChannel() {
	channel := make(chan *int, 64)
	go func() {
		for {
			channel <- nil
		}
	}()
	tell("channel", cost(batch, func() {
		for i := 0; i < batch; i++ {
			<-channel
		}
	}))
}

// A mutex that is let go goes to nobody: who holds it lets the other one wait.
func measureMutex() {
	var mutex sync.Mutex
	stop := false
	turn := func() {
		mutex.Lock()
		runtime.Gosched()
		mutex.Unlock()
	}
	go func() {
		for !stop {
			turn()
		}
	}()
	tell("mutex", cost(batch, func() {
		for i := 0; i < batch/2; i++ {
			turn()
		}
	}))
	stop = true
	turn()
}

// What a deadline adds to a wait.
func measureDeadline(name string) {
	channel := make(chan *int)
	go func() {
		for {
			channel <- nil
		}
	}()
	without := cost(batch, func() {
		for i := 0; i < batch; i++ {
			<-channel
		}
	})
	with := cost(batch, func() {
		for i := 0; i < batch; i++ {
			timer := time.NewTimer(far)
			select {
			case <-channel:
			case <-timer.C:
			}
			timer.Stop()
		}
	})
	tell(name, with-without)
}

func resident() float64 {
	status, _ := os.ReadFile("/proc/self/status")
	sum := 0.0
	for _, line := range strings.Split(string(status), "\n") {
		if field := strings.Fields(line); len(field) > 1 && (field[0] == "VmRSS:" || field[0] == "VmPTE:") {
			kilobytes, _ := strconv.ParseFloat(field[1], 64)
			sum += kilobytes * 1024
		}
	}
	return sum
}

func main() {
	runtime.GOMAXPROCS(1)
	if len(os.Args) > 1 {
		milliseconds, _ = strconv.ParseFloat(os.Args[1], 64)
	}
	if len(os.Args) > 2 {
		others, _ = strconv.Atoi(os.Args[2])
	}
	measureYields("yield-2", 2, batch/2)
	measureYields("yield-1000", many, batch/spawns)
	measureSpawn()
	measureChannel()
	measureMutex()
	measureDeadline("deadline")

	before, never := resident(), make(chan int)
	for i := 0; i < others; i++ {
		go func() { <-never }()
	}
	runtime.Gosched()
	tell("parked", (resident()-before)/float64(others))

	timers := make([]*time.Timer, others)
	for i := range timers {
		timers[i] = time.NewTimer(2*far + time.Duration(i)*time.Millisecond)
	}
	measureDeadline("deadline-100k")
	runtime.KeepAlive(timers)
}
