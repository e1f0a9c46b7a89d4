package repotest_test

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-go/holdfast/repo"
	"github.com/holdfast-go/holdfast/repo/memrepo"
	"github.com/holdfast-go/holdfast/repo/repotest"
)

// variantEnv names the broken repository that a child process runs the suite
// on.
const variantEnv = "REPOTEST_VARIANT"

type (
	items  = *memrepo.Repository[repotest.Item]
	marks  = *memrepo.Repository[repotest.Marked]
	autos  = *memrepo.Repository[repotest.Auto]
	change = func(h *repotest.Harness)
)

// variant is a repository with one mistake and the test that must notice it.
type variant struct {
	name  string
	fails string
	spoil change
}

func onItems(wrap func(items) repo.Repository[repotest.Item]) change {
	return func(h *repotest.Harness) {
		inner := h.Items
		h.Items = func(t *testing.T) repo.Repository[repotest.Item] { return wrap(inner(t).(items)) }
	}
}

func onMarked(wrap func(marks) repo.Repository[repotest.Marked]) change {
	return func(h *repotest.Harness) {
		inner := h.Marked
		h.Marked = func(t *testing.T) repo.Repository[repotest.Marked] { return wrap(inner(t).(marks)) }
	}
}

func onFromZero(wrap func(marks) repo.Repository[repotest.Marked]) change {
	return func(h *repotest.Harness) {
		inner := h.FromZero
		h.FromZero = func(t *testing.T) repo.Repository[repotest.Marked] { return wrap(inner(t).(marks)) }
	}
}

func onAutos(wrap func(autos) repo.Repository[repotest.Auto]) change {
	return func(h *repotest.Harness) {
		inner := h.Autos
		h.Autos = func(t *testing.T) repo.Repository[repotest.Auto] { return wrap(inner(t).(autos)) }
	}
}

func variants() []variant {
	return []variant{
		{"DropsTheLastElement", "SaveAll/CrossesBatches", onItems(func(r items) repo.Repository[repotest.Item] { return dropsLast{r} })},
		{"SavesChunksAtOnce", "Chunks/BeforeAFailure", onItems(func(r items) repo.Repository[repotest.Item] { return atOnce{r} })},
		{"FirstDuplicateWins", "SaveAll/LaterDuplicateWins", onItems(func(r items) repo.Repository[repotest.Item] { return firstWins{r} })},
		{"WritesHalfABatch", "SaveAll/IsAllOrNothing", onItems(func(r items) repo.Repository[repotest.Item] { return halfBatch{r} })},
		{"LosesZeroValues", "Save/OverwritesWithZeroValues", onItems(func(r items) repo.Repository[repotest.Item] { return losesZeros{r} })},
		{"FollowsAnyUniqueIndex", "Errors/DuplicateIsNoOverwrite", onItems(func(r items) repo.Repository[repotest.Item] { return anyIndex{r} })},
		{"SharesWhatItStores", "Save/SharesNoMemory", onItems(func(r items) repo.Repository[repotest.Item] {
			return &aliases{items: r, cache: map[any]*repotest.Item{}}
		})},
		{"IgnoresDeletes", "Delete/Removes", onItems(func(r items) repo.Repository[repotest.Item] { return ignoresDeletes{r} })},
		{"DeletesAllForNoIDs", "Delete/AllByIDOfNone", onItems(func(r items) repo.Repository[repotest.Item] { return allForNone{r} })},
		{"FindsAllForNoIDs", "FindAllByID/OfNone", onItems(func(r items) repo.Repository[repotest.Item] { return allForNone{r} })},
		{"IgnoresTheOrderOfIDs", "FindAllByID/KeepsOrder", onItems(func(r items) repo.Repository[repotest.Item] { return ownOrder{r} })},
		{"TakesIDsForCode", "IDs/NeverCode", onItems(func(r items) repo.Repository[repotest.Item] { return idsAsCode{r} })},
		{"IgnoresTheContext", "Context/CancelledBefore", onItems(func(r items) repo.Repository[repotest.Item] { return deaf{r} })},
		{"WritesAfterTheContextEnded", "Context/CancelledWhileDecoding", onItems(func(r items) repo.Repository[repotest.Item] { return deafLater{r} })},
		{"CountHonoursLimit", "Query/CountIgnoresLimitAndOffset", onItems(func(r items) repo.Repository[repotest.Item] { return countsFound{r} })},
		{"PrefixIsAPattern", "Query/PrefixIsLiteral", onItems(func(r items) repo.Repository[repotest.Item] { return patterns{r} })},
		{"InOfNoneIsNoCondition", "Query/InOfNone", onItems(func(r items) repo.Repository[repotest.Item] { return inOfNone{r} })},
		{"IgnoresNativeOptions", "Query/UnknownNative", onItems(func(r items) repo.Repository[repotest.Item] { return noNative{r} })},
		{"MergeReplaces", "Merge/KeepsWhatIsNotNamed", onItems(func(r items) repo.Repository[repotest.Item] { return mergeReplaces{r} })},
		{"SavesTheGoodDocuments", "SmartSave/ReportsEveryBadDocument", onItems(func(r items) repo.Repository[repotest.Item] { return savesGood{r} })},
		{"ReturnsDocumentsInStoreOrder", "SmartSave/KeepsInputOrder", onItems(func(r items) repo.Repository[repotest.Item] { return sortsSaved{r} })},
		{"UpdateWritesInSpiteOfTheError", "Update/FailingWritesNothing", onItems(func(r items) repo.Repository[repotest.Item] { return updatesAnyway{r} })},
		{"UpdateLosesUpdates", "Update/LosesNothing", onItems(func(r items) repo.Repository[repotest.Item] { return updatesBlindly{r} })},
		{"OverwritesOnInsert", "Markers/VersionZeroInsertsOnly", onMarked(func(r marks) repo.Repository[repotest.Marked] { return insertOverwrites{r} })},
		{"SwallowsErrStale", "Markers/VersionStaleIsRefused", onMarked(func(r marks) repo.Repository[repotest.Marked] { return swallowsStale{r} })},
		{"SwallowsErrStaleInLists", "Markers/VersionStaleInAList", onMarked(func(r marks) repo.Repository[repotest.Marked] { return swallowsStaleInLists{r} })},
		{"OverwritesTheCreationTime", "Markers/CreatedIsSetOnce", onMarked(func(r marks) repo.Repository[repotest.Marked] {
			return &recreates{marks: r, made: map[string]repotest.Marked{}}
		})},
		{"RevivesDeletedOnes", "SoftDelete/DoesNotComeBack", func(h *repotest.Harness) {
			h.Marked = func(t *testing.T) repo.Repository[repotest.Marked] {
				r, err := memrepo.New[repotest.Marked](&memrepo.Options{Revive: true})
				if err != nil {
					t.Fatal(err)
				}
				return r
			}
		}},
		{"CountsDeletedOnes", "SoftDelete/IsInvisible", onMarked(func(r marks) repo.Repository[repotest.Marked] { return &countsDeleted{marks: r} })},
		{"TakesWhatWasReadForNew", "Markers/VersionFromZero/Save", onFromZero(func(r marks) repo.Repository[repotest.Marked] { return insertsRead{r} })},
		{"TakesDocumentsForNew", "SmartSave/WithoutVersion", onMarked(func(r marks) repo.Repository[repotest.Marked] { return insertsDocuments{r} })},
		{"KeepsGeneratedKeysToItself", "Keys/Generated", onAutos(func(r autos) repo.Repository[repotest.Auto] { return keepsKeys{r} })},
	}
}

// TestSuiteCatches runs the suite on every broken variant, each in a process
// of its own, because a test cannot fail inside one that passes.
func TestSuiteCatches(t *testing.T) {
	t.Parallel()
	for _, v := range slices.Concat(variants(), fenceVariants(), txVariants(), readsVariants(), writesVariants()) {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			out, err := runVariant(t, v.name)
			if err == nil {
				t.Fatalf("the suite passes")
			}
			if !strings.Contains(out, "--- FAIL: TestVariant/Run/"+v.fails+" ") {
				t.Errorf("%s does not fail:\n%s", v.fails, out)
			}
			if strings.Contains(out, "panic:") {
				t.Errorf("the suite panics:\n%s", out)
			}
		})
	}
}

// TestSuitePassesInAChild shows that what fails the variants is the mistake.
func TestSuitePassesInAChild(t *testing.T) {
	t.Parallel()
	if out, err := runVariant(t, "none"); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
}

// TestModelCatches shows that random operations find mistakes too. Now and then they do
// not come to one, and others are made.
func TestModelCatches(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"DropsTheLastElement", "LosesZeroValues", "IgnoresTheOrderOfIDs", "MergeReplaces", "SwallowsErrStale", "RevivesDeletedOnes"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := ""
			for range 5 {
				if out, _ = runVariant(t, name); strings.Contains(out, "--- FAIL: TestVariant/Model/") {
					return
				}
			}
			t.Errorf("the model agrees with it:\n%s", out)
		})
	}
}

func runVariant(t *testing.T, name string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestVariant$", "-test.count=1")
	cmd.Env = append(os.Environ(), variantEnv+"="+name)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestVariant is the child process's half of TestSuiteCatches.
func TestVariant(t *testing.T) {
	name := os.Getenv(variantEnv)
	if name == "" {
		t.Skip("only run by TestSuiteCatches, which names a variant")
	}
	h := harness()
	h.Large = 60
	for _, v := range slices.Concat(variants(), fenceVariants(), txVariants(), readsVariants(), writesVariants()) {
		if v.name == name {
			v.spoil(&h)
		}
	}
	t.Run("Run", func(t *testing.T) { repotest.Run(t, h) })
	t.Run("Model", func(t *testing.T) { repotest.RunModel(t, h, harness(), 500) })
}
