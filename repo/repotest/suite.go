package repotest

import "testing"

// behaviour is one thing that every repository does.
type behaviour struct {
	name string
	test func(t *testing.T, h Harness)
}

// Run tests the repositories that h makes against the contract of repo, one
// subtest per behaviour, one after the other.
func Run(t *testing.T, h Harness) {
	t.Helper()
	if h.Items == nil {
		t.Fatal("repotest: Harness.Items is required")
	}
	for _, topic := range contents() {
		t.Run(topic.name, func(t *testing.T) {
			for _, b := range topic.behaviours {
				t.Run(b.name, func(t *testing.T) { b.test(t, h) })
			}
		})
	}
}

type topic struct {
	name       string
	behaviours []behaviour
}

// contents is the table of contents.
func contents() []topic {
	return []topic{
		{"Save", []behaviour{
			{"StoresEveryField", saveStoresEveryField},
			{"OverwritesEveryField", saveOverwritesEveryField},
			{"TwiceIsTheSame", saveTwiceIsTheSame},
			{"InsertsZeroValues", saveInsertsZeroValues},
			{"OverwritesWithZeroValues", saveOverwritesWithZeroValues},
			{"KeepsOddText", saveKeepsOddText},
			{"KeepsExtremeNumbers", saveKeepsExtremeNumbers},
			{"KeepsTheInstantOfATime", saveKeepsTheInstantOfATime},
			{"SharesNoMemory", saveSharesNoMemory},
			{"LeavesOthersAlone", saveLeavesOthersAlone},
			{"LeavesTheCallersEntityAlone", saveLeavesTheCallersEntityAlone},
		}},
		{"SaveAll", []behaviour{
			{"OfNone", saveAllOfNone},
			{"OfOne", saveAllOfOne},
			{"CrossesBatches", saveAllCrossesBatches},
			{"LaterDuplicateWins", saveAllLaterDuplicateWins},
			{"TakesOnePointerTwice", saveAllTakesOnePointerTwice},
			{"NamesNilElements", saveAllNamesNilElements},
			{"NamesElementsWithoutKey", saveAllNamesElementsWithoutKey},
			{"IsAllOrNothing", saveAllIsAllOrNothing},
			{"WritesWhatItDoesNotName", saveAllWritesWhatItDoesNotName},
			{"GeneratesKeys", saveAllGeneratesKeys},
			{"GeneratesManyKeys", saveAllGeneratesManyKeys},
			{"ErrorTextIsShort", saveAllTextIsShort},
		}},
		{"SmartSave", []behaviour{
			{"Inserts", smartSaveInserts},
			{"Replaces", smartSaveReplaces},
			{"KeepsInputOrder", smartSaveKeepsInputOrder},
			{"FoldsDuplicates", smartSaveFoldsDuplicates},
			{"OfNone", smartSaveOfNone},
			{"ReportsEveryBadDocument", smartSaveReportsEveryBadDocument},
			{"Caps", smartSaveCaps},
			{"UnknownMembers", smartSaveUnknownMembers},
			{"Decoder", smartSaveDecoder},
			{"WithoutKey", smartSaveWithoutKey},
			{"DuplicateValue", smartSaveDuplicateValue},
			{"CrossesBatches", smartSaveCrossesBatches},
			{"Versions", smartSaveVersions},
		}},
		{"Merge", []behaviour{
			{"KeepsWhatIsNotNamed", mergeKeepsWhatIsNotNamed},
			{"WritesZeroValues", mergeWritesZeroValues},
			{"NullClears", mergeNullClears},
			{"NonNullKeepsNulls", mergeNonNullKeepsNulls},
			{"GoesIntoObjects", mergeGoesIntoObjects},
			{"InsertsWhatIsAbsent", mergeInsertsWhatIsAbsent},
			{"MixesNewAndStored", mergeMixesNewAndStored},
			{"DuplicatesOfANewOne", mergeDuplicatesOfANewOne},
			{"UnchangedWritesNothing", mergeUnchangedWritesNothing},
			{"CountsAndStamps", mergeCountsAndStamps},
			{"CannotTouchDuties", mergeCannotTouchDuties},
			{"ChecksANamedVersion", mergeChecksANamedVersion},
		}},
		{"FindByID", []behaviour{
			{"FindsOne", findByIDFindsOne},
			{"OfAbsent", findByIDOfAbsent},
		}},
		{"FindAllByID", []behaviour{
			{"KeepsOrder", findAllByIDKeepsOrder},
			{"LeavesOutAbsent", findAllByIDLeavesOutAbsent},
			{"AnswersOnce", findAllByIDAnswersOnce},
			{"OfNone", findAllByIDOfNone},
			{"CrossesBatches", findAllByIDCrossesBatches},
		}},
		{"ExistsByID", []behaviour{
			{"Tells", existsByIDTells},
		}},
		{"Query", []behaviour{
			{"WithoutOptions", queryWithoutOptions},
			{"EqualAndNot", queryEqualAndNot},
			{"OrderComparisons", queryOrderComparisons},
			{"ConditionsHoldTogether", queryConditionsHoldTogether},
			{"In", queryIn},
			{"InOfNone", queryInOfNone},
			{"Null", queryNull},
			{"NullDoesNotCompare", queryNullDoesNotCompare},
			{"PrefixIsLiteral", queryPrefixIsLiteral},
			{"TextIsCaseSensitive", queryTextIsCaseSensitive},
			{"Or", queryOr},
			{"AndOrNot", queryAndOrNot},
			{"NotOfNull", queryNotOfNull},
			{"NotInAndBetween", queryNotInAndBetween},
			{"ContainsAndSuffixAreLiteral", queryContainsAndSuffixAreLiteral},
			{"TextIsExact", queryTextIsExact},
			{"IgnoreCase", queryIgnoreCase},
			{"IgnoreCaseBeyondASCII", queryIgnoreCaseBeyondASCII},
			{"NestedFields", queryNestedFields},
			{"SortsNulls", querySortsNulls},
			{"Sorts", querySorts},
			{"LimitAndOffset", queryLimitAndOffset},
			{"CountIgnoresLimitAndOffset", countIgnoresLimitAndOffset},
			{"ValuesAreNeverCode", queryValuesAreNeverCode},
			{"RefusesWhatIsWrong", queryRefusesWhatIsWrong},
			{"UnknownNative", queryUnknownNative},
			{"Native", queryNative},
		}},
		{"Delete", []behaviour{
			{"Removes", deleteRemoves},
			{"OfNone", deleteOfNone},
			{"OfAbsent", deleteOfAbsent},
			{"OfZeroKey", deleteOfZeroKey},
			{"ByIDRemovesOne", deleteByIDRemovesOne},
			{"AllByIDCounts", deleteAllByIDCounts},
			{"AllByIDOfNone", deleteAllByIDOfNone},
			{"AllByIDCrossesBatches", deleteAllByIDCrossesBatches},
			{"DeletedCanBeSavedAgain", deletedCanBeSavedAgain},
		}},
		{"IDs", []behaviour{
			{"IntegersThatFit", idIntegersThatFit},
			{"IntegersThatDoNotFit", idIntegersThatDoNotFit},
			{"WrongKind", idOfWrongKind},
			{"BadOneInAList", idBadOneInAList},
			{"NamedText", idOfNamedText},
			{"Entity", idEntity},
			{"Zero", idZero},
			{"NeverCode", idIsNeverCode},
			{"OddText", idOfOddText},
			{"BehindAPointer", idBehindAPointer},
			{"TextOfBytes", idTextOfBytes},
		}},
		{"Keys", []behaviour{
			{"Generated", keyIsGenerated},
			{"GivenIsKept", keyGivenIsKept},
			{"GeneratedForDocuments", keyIsGeneratedForDocuments},
			{"TextGenerated", keyOfTextIsGenerated},
			{"TwoFields", keyOfTwoFields},
			{"TwoFieldsWithZeros", keyOfTwoFieldsWithZeros},
			{"TwoFieldsFoldDuplicates", keyOfTwoFieldsFoldsDuplicates},
			{"TwoFieldsInDocuments", keyOfTwoFieldsInDocuments},
			{"TwoFieldsNeedAnEntity", keyOfTwoFieldsNeedsAnEntity},
			{"PartIsGenerated", keyPartIsGenerated},
			{"AssignedMayBeZero", keyAssignedMayBeZero},
			{"FieldID", keyIsTheFieldID},
			{"MarkedForBSON", keyMarkedForBSON},
			{"EntitySaysItIsNew", keyEntitySaysItIsNew},
		}},
		{"Markers", []behaviour{
			{"VersionCountsUp", versionCountsUp},
			{"VersionStaleIsRefused", versionStaleIsRefused},
			{"VersionZeroInsertsOnly", versionZeroInsertsOnly},
			{"VersionOfAbsentIsStale", versionOfAbsentIsStale},
			{"VersionStaleInAList", versionStaleInAList},
			{"VersionsInAList", versionsInAList},
			{"VersionIsCheckedByDelete", versionIsCheckedByDelete},
			{"VersionFromZero", versionFromZero},
			{"VersionFromZeroInTx", versionFromZeroInTx},
			{"TimesAreSet", timesAreSet},
			{"CreatedIsSetOnce", createdIsSetOnce},
			{"UpdatedIsSetByEverySave", updatedIsSetByEverySave},
			{"TimesAsNumbers", timesAsNumbers},
			{"NamesAreNoMarks", namesAreNoMarks},
		}},
		{"SoftDelete", []behaviour{
			{"IsInvisible", softDeletedIsInvisible},
			{"DoesNotComeBack", softDeletedDoesNotComeBack},
			{"KeepsItsKey", softDeletedKeepsItsKey},
			{"Documents", softDeletedDocuments},
			{"Twice", softDeleteTwice},
			{"SaveCannotDelete", saveCannotDelete},
		}},
		{"Errors", []behaviour{
			{"NilEntityIsInvalid", nilEntityIsInvalid},
			{"MissingKeyIsInvalid", missingKeyIsInvalid},
			{"DuplicateIsNoOverwrite", duplicateIsNoOverwrite},
			{"DuplicateByOverwriting", duplicateByOverwriting},
			{"DuplicateOfAGeneratedOne", duplicateOfAGeneratedOne},
			{"DuplicateInOneList", duplicateInOneList},
			{"UniqueValueIsFreeAgain", uniqueValueIsFreeAgain},
			{"GoesOnAfterAnError", goesOnAfterAnError},
		}},
		{"Context", []behaviour{
			{"CancelledBefore", contextCancelledBefore},
			{"DeadlineBefore", contextDeadlineBefore},
			{"CancelledWithACause", contextWithACause},
			{"CancelledWhileDecoding", contextCancelledWhileDecoding},
			{"CancelledDuringSaveAll", contextCancelledDuringSaveAll},
		}},
		{"Update", []behaviour{
			{"ChangesOne", updateChangesOne},
			{"OfAbsent", updateOfAbsent},
			{"FailingWritesNothing", updateFailingWritesNothing},
			{"ReadsAfresh", updateReadsAfresh},
			{"CannotChangeTheKey", updateCannotChangeTheKey},
			{"RefusesNilAndBadIDs", updateRefusesNilAndBadIDs},
			{"BreakingAUniqueIndex", updateBreakingAUniqueIndex},
			{"CancelledInside", updateCancelledInside},
			{"OfMarked", updateOfMarked},
			{"LosesNothing", updateLosesNothing},
		}},
		{"InTx", []behaviour{
			{"Commits", txCommits},
			{"RollsBack", txRollsBack},
			{"ReadsItsOwnWrites", txReadsItsOwnWrites},
			{"Joins", txJoins},
			{"SpansRepositories", txSpansRepositories},
			{"RollsBackOnPanic", txRollsBackOnPanic},
			{"CancelledInside", txCancelledInside},
			{"UpdateInside", txUpdateInside},
			{"NestedFailureSpoils", txNestedFailureSpoils},
			{"NestedPanicSpoils", txNestedPanicSpoils},
			{"Savepoint", txSavepoint},
			{"SwallowedError", txSwallowedError},
			{"EndedTakesNoCall", txEndedTakesNoCall},
			{"StragglerWritesNothing", txStragglerWritesNothing},
			{"UnsupportedIsSaid", txUnsupportedIsSaid},
		}},
		{"Fence", []behaviour{
			{"AcceptsWhatIsNewer", fenceAcceptsWhatIsNewer},
			{"RefusesWhatIsNot", fenceRefusesWhatIsNot},
			{"RefusalNamesBoth", fenceRefusalNamesBoth},
			{"RefusesEveryWrite", fenceRefusesEveryWrite},
			{"LetsEveryWrite", fenceLetsEveryWrite},
			{"ReadRaises", fenceReadRaises},
			{"HoldsInUpdate", fenceHoldsInUpdate},
			{"KeysAreApart", fenceKeysAreApart},
			{"TakesSeveralClaims", fenceTakesSeveralClaims},
			{"IsNoPartOfEntities", fenceIsNoPartOfEntities},
			{"OutlivesOthers", fenceOutlivesOthers},
			{"OfAbsent", fenceOfAbsent},
			{"OfAList", fenceOfAList},
			{"OfAMergedList", fenceOfAMergedList},
			{"OfQueries", fenceOfQueries},
			{"OfVersions", fenceOfVersions},
			{"OfDeleted", fenceOfDeleted},
			{"InsideTx", fenceInsideTx},
			{"WrongKeyIsRefused", fenceWrongKeyIsRefused},
			{"WrongKeyInTx", fenceWrongKeyInTx},
			{"KeyOfAPlainFence", fenceKeyOfAPlainFence},
			{"TakesOneOfSeveralKeys", fenceTakesOneOfSeveralKeys},
			{"WithoutKeys", fenceWithoutKeys},
		}},
		{"Concurrency", []behaviour{
			{"SavesOfDifferentKeys", concurrentSavesOfDifferentKeys},
			{"ListsOfDifferentKeys", concurrentListsOfDifferentKeys},
			{"SavesOfOneKey", concurrentSavesOfOneKey},
			{"GeneratedKeys", concurrentGeneratedKeys},
			{"StaleSaves", concurrentStaleSaves},
			{"Inserts", concurrentInserts},
			{"UniqueValues", concurrentUniqueValues},
		}},
	}
}
