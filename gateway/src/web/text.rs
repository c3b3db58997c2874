//! The words of the pages: Japanese first, English second, in one table.

use axum::http::{HeaderMap, header};

/// A language of the pages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) enum Lang {
    /// 日本語.
    #[default]
    Ja,
    /// English.
    En,
}

impl Lang {
    /// The language's tag, for `lang=` in pages, cookies and addresses.
    pub(super) fn tag(self) -> &'static str {
        match self {
            Self::Ja => "ja",
            Self::En => "en",
        }
    }

    /// The language with this tag.
    pub(super) fn of_tag(tag: &str) -> Option<Self> {
        match tag {
            "ja" => Some(Self::Ja),
            "en" => Some(Self::En),
            _ => None,
        }
    }

    /// The other one.
    pub(super) fn other(self) -> Self {
        match self {
            Self::Ja => Self::En,
            Self::En => Self::Ja,
        }
    }

    /// The language somebody asked for: by cookie, else by what the browser prefers, else Japanese.
    pub(super) fn of_headers(headers: &HeaderMap) -> Self {
        let texts = |name| headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
        let cookie = texts(header::COOKIE)
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| {
                let pair = pair.trim();
                pair.strip_prefix(SECURE_COOKIE).or_else(|| pair.strip_prefix(COOKIE))?.strip_prefix('=')
            })
            .find_map(Self::of_tag);
        cookie.or_else(|| texts(header::ACCEPT_LANGUAGE).find_map(preferred)).unwrap_or_default()
    }
}

/// The name of the cookie that keeps the language.
pub(super) const COOKIE: &str = "lang";
/// Its name over TLS, under which no plain page can set one.
pub(super) const SECURE_COOKIE: &str = "__Host-lang";

/// The best of ours in an `Accept-Language` value; between equals the one named first.
fn preferred(value: &str) -> Option<Lang> {
    let mut best: Option<(f32, Lang)> = None;
    for part in value.split(',') {
        let mut fields = part.split(';').map(str::trim);
        let tag = fields.next().unwrap_or_default().to_ascii_lowercase();
        let weight = fields
            .find_map(|field| field.strip_prefix("q="))
            .map_or(1.0, |weight| weight.parse::<f32>().unwrap_or(0.0));
        let lang = Lang::of_tag(tag.split('-').next().unwrap_or_default());
        if let Some(lang) = lang
            && weight > best.map_or(0.0, |(weight, _)| weight)
        {
            best = Some((weight, lang));
        }
    }
    best.map(|(_, lang)| lang)
}

macro_rules! texts {
    ($($name:ident $ja:literal $en:literal;)*) => {
        /// A text of the pages. `{…}` is filled in by [`Lang::fill`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[allow(clippy::enum_variant_names, reason = "OtherLanguage and NoteText are no words of one kind")]
        pub(super) enum Text { $($name),* }

        impl Text {
            #[cfg(test)]
            const ALL: &[Self] = &[$(Self::$name),*];

            fn both(self) -> (&'static str, &'static str) {
                match self { $(Self::$name => ($ja, $en)),* }
            }
        }
    };
}

impl Lang {
    /// The text in this language.
    pub(super) fn say(self, text: Text) -> &'static str {
        let (ja, en) = text.both();
        match self {
            Self::Ja => ja,
            Self::En => en,
        }
    }

    /// The text in this language with its `{names}` filled in.
    pub(super) fn fill(self, text: Text, values: &[(&str, &dyn std::fmt::Display)]) -> String {
        let mut out = String::new();
        let mut rest = self.say(text);
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').unwrap_or((after, ""));
            out.push_str(before);
            if let Some((_, value)) = values.iter().find(|(key, _)| *key == name) {
                out.push_str(&value.to_string());
            }
            rest = after;
        }
        out.push_str(rest);
        out
    }
}

texts! {
    // The frame of every page.
    Product "大型ごみ収集" "Bulky waste collection";
    Today "本日" "Today";
    Search "検索" "Search";
    SetAside "未処理データ" "Set aside";
    OtherLanguage "English" "日本語";
    SearchHint "受付番号で検索" "Reception no.";
    SkipToMain "本文へ" "Skip to the page";
    MainMenu "メニュー" "Menu";
    LiveOn "自動更新中" "Updating by itself";
    LiveConnecting "接続中…" "Connecting…";
    LiveLost "再接続中… 表示は少し前のものです" "Reconnecting… what you see is a little old";
    LiveOff "自動更新なし" "Not updating by itself";

    // A day.
    PreviousDay "前日" "Previous day";
    NextDay "翌日" "Next day";
    ChooseDay "日付" "Date";
    Show "表示" "Show";
    AsOf "{time}現在" "as of {time}";
    StatusPartly "一部収集{count}件、" "{count} partly, ";
    StatusLine "収集済{done}件、{partly}収集不可{not}件、残り{left}件、対応が必要{attention}件" "{done} collected, {partly}{not} not collected, {left} left, {attention} to look at";
    Collected "収集済" "Collected";
    Partly "一部収集" "Partly collected";
    NotCollected "収集不可" "Not collected";
    Left "残り" "Left";
    Cancelled "取消" "Cancelled";
    Open "予定" "Planned";
    Revisit "再収集" "Another visit";
    NotReported "未報告" "Not reported";
    OfPlanned "予定 {total}件の {percent}%" "{percent}% of {total} planned";
    AndPartly "一部収集 {count}件" "{count} partly";
    AndCancelled "ほかに取消 {count}件" "{count} cancelled besides";
    OtherReasons "ほか {count}" "others {count}";
    NoneNotCollected "ありません" "none";
    FinishAt "終了見込み {time}" "done by about {time}";
    FinishAtExcept "終了見込み {time}（{count}台を除く）" "done by about {time} (not counting {count})";
    FinishLater "本日中には終わらない見込み" "not done today at this pace";
    AllDone "すべて終わりました" "all done";
    AllDoneShort "完了" "done";
    LaterShort "翌日以降" "later";
    DayOver "この日は終わりました" "the day is over";
    DayToCome "これからの日です" "the day is to come";
    NoPaceYet "終了見込みはまだ出せません" "too early to tell when it is done";
    TerminalsConnected "接続中の端末" "Terminals online";
    SilentTerminals "{count}台 {minutes}分以上連絡なし" "{count} silent for {minutes} minutes or more";
    AllHeard "連絡の途絶えた端末はありません" "none has fallen silent";
    NoTerminals "端末は登録されていません" "no terminal is registered";
    Vehicles "号車" "Vehicles";
    VehiclesOf "{count}業者" "{count} contractors";
    Progress "進み" "Progress";
    ProgressByWard "区ごとの進み" "Progress by ward";
    ProgressByContractor "業者ごとの進み" "Progress by contractor";
    ProgressByVehicle "号車ごとの進み" "Progress by vehicle";
    ByWard "区" "Ward";
    ByContractor "業者" "Contractor";
    ByVehicle "号車" "Vehicle";
    Contractor "業者" "Contractor";
    RoundName "コース" "Round";
    ShortDone "済" "Done";
    ShortPartly "一部" "Part";
    ShortNot "不可" "Not";
    ShortPlan "予定" "Plan";
    ShortFinish "見込み" "Est.";
    LastConfirmed "最終" "Last";
    Total "計" "Total";
    BarLabel "予定{total}件のうち収集済{done}件、一部収集{partly}件、収集不可{not}件" "of {total} planned {done} collected, {partly} partly, {not} not collected";
    NothingPlanned "この日の収集予定はありません" "Nothing is planned for this day";
    NothingPlannedHint "申込データを取り込むと、ここに進みが出ます。" "Once requests are imported their progress appears here.";
    NearestBefore "前の収集日 {day}" "Collection day before: {day}";
    NearestAfter "次の収集日 {day}" "Collection day after: {day}";
    Attention "対応が必要" "To look at";
    AttentionNone "対応が必要なものはありません" "Nothing needs looking at";
    AttentionAll "すべて見る（{count}件）" "See all {count}";
    Count "{count}件" "{count}";
    Latest "最新の確認" "Latest confirmations";
    LatestNone "まだ確認がありません" "No confirmation yet";
    Time "時刻" "Time";
    Vehicle "号車" "Vehicle";
    Town "町名" "Town";
    Reception "受付番号" "Reception no.";
    ResultWord "結果" "Result";
    VehicleConnected "接続中" "connected";
    VehicleAway "未接続" "not connected";
    VehicleNoTerminal "端末なし" "no terminal";
    VehicleRound "{vehicle}（{round}コース）" "{vehicle} (round {round})";
    Uncarried "端末なし" "No terminal";
    UncarriedLeft "残り {left}件の収集リストが届く端末がありません" "{left} left, and no terminal gets their list";
    UncarriedMoved "号車の委託契約が変わりました。申込を取り込み直してください。" "The vehicle's contract has changed. Import the requests again.";
    UncarriedBind "端末を号車に付け直す" "Bind the terminal anew";
    UncarriedAdd "端末を作る" "Make a terminal";
    UncarriedBindHow "terminal bind {terminal} --vehicle {vehicle} --out フォルダー" "terminal bind {terminal} --vehicle {vehicle} --out DIR";
    UncarriedAddHow "terminal add 端末名 --vehicle {vehicle} --out フォルダー" "terminal add NAME --vehicle {vehicle} --out DIR";
    Silent "連絡なし" "Silent";
    SilentSince "最後の連絡 {time}・残り {left}件" "last heard {time}, {left} left";
    SilentNever "まだ連絡がありません・残り {left}件" "not heard yet, {left} left";
    Waiting "未送信 {count}件" "{count} not sent";
    AsideWaiting "未処理データ {count}件" "{count} set aside";
    AsideWaitingHint "受け取れなかった通信があります。内容を確認してください。" "Something arrived that could not be taken. Please look at it.";

    ContractsOver "委託契約は{day}で終わりました。その日までの収集を、見ることだけができます。日付を選ぶか、受付番号で検索してください。" "Your contract was over on {day}. What was collected until then can still be looked at: choose a day, or search by number.";
    ContractOver "この収集の委託契約は{day}で終わりました。見ることだけができます。" "The contract of this pickup was over on {day}. It can only be looked at.";

    // Notices.
    NoticeFork "端末記録の食い違い" "Terminal's record differs";
    NoticeForkHint "端末の記録が古い写しに戻ったようです。この端末の確認を見直してください。" "The terminal seems to have gone back to an old copy. Please review its confirmations.";
    NoticeHole "欠けた記録" "Missing records";
    NoticeHoleHint "端末にもサーバーにも残っていない番号があります。この端末の収集結果を確かめてください。" "Some numbers are held by nobody any more. Please check this terminal's results.";
    NoticeTwoDevices "同じ名前の端末が2台" "Two devices under one name";
    NoticeTwoDevicesHint "1つの端末名を2台が使っています。片方を止めてください。" "Two devices use one terminal name. Please stop one of them.";
    NoticeListTooLarge "収集リストが大きすぎます" "A day list is too large";
    NoticeListTooLargeHint "このコースの新しい収集リストを端末に送れません。コースを分けてください。" "The round's new list can't be sent to the terminal. Please divide the round.";
    NoticeLost "紛失・盗難の届出がありました" "A terminal is reported lost";
    NoticeLostHint "つながりしだい消去されます。消去が終わるか、見つかるまで、ここに出ています。" "It is erased as soon as it has a line. This stays until it is erased or found.";
    NoticeLostBeforeRestore "復元で紛失の届出が消えていました" "The report of a loss was not in the copy";
    NoticeLostBeforeRestoreHint "端末が消去済みと知らせてきたので、紛失として扱い直しました。使うときは登録し直してください。" "The terminal said that it is erased, and counts as lost again. To use it, enrol it anew.";
    NoticeFoundBeforeRestore "紛失の端末を消去していません" "A lost terminal is not erased";
    NoticeFoundBeforeRestoreHint "復元した控えより後に、見つかったと取り消された端末です。手元にあれば「見つかった」としてください。なければ、いちど取り消してから、もう一度届け出てください。" "It was reported found after the copy was made. Where you have it, report it found; otherwise do so and report it lost anew.";
    NoticeErased "紛失した端末の消去が終わりました" "The lost terminal is erased";
    NoticeErasedHint "端末が消去を終えたと知らせ、締め出されました。もう誰も中を見られません。" "It said that its lists and notes are destroyed, and is kept out from now on.";
    NoticeRestored "サーバーデータの復元" "The server's data was restored";
    NoticeRestoredHint "古い控えから復元されました。端末が足りない分を送り直します。" "It was restored from an older copy. Terminals send again what is missing.";
    NoticeImportHeld "取込を保留中" "Import is held";
    NoticeImportHeldHint "取り込むかどうかの判断が必要です。" "A person has to decide whether it is taken.";
    ImportMissing "{day}の予定 {planned}件のうち {missing}件が載っていません" "{day}: {missing} of {planned} planned pickups are missing";
    NoticeClockDoubted "この装置の時計が大きく動きました" "This machine's clock has jumped";
    NoticeClockDoubtedHint "時計が信じられるまで、前の時刻から数えて動き、端末に時刻を伝えず、何も消しません。時計を合わせてください。いまの時計が正しいときは次の命令を実行してください。" "Until it can be believed, the gateway counts on from the time before, tells terminals none, and erases nothing. Set the clock right; where it is right as it is, say so by this command.";
    ClockRight "時計は正しい" "The clock is right";
    NoticeStaysErased "保存期間を過ぎた日のファイルでした" "A file of days past their retention";
    NoticeStaysErasedHint "この取り込みには、保存期間を過ぎて住所などを消した収集が含まれていました。住所などは消したままです。" "This import named pickups whose address and notes were erased after their time. They stay erased.";
    TroubleStore "記録を保存できません。受信した報告は受領されず、端末に残っています。ディスクの空きと状態を確かめてください。" "The store can't be written. Nothing new is confirmed; terminals keep it. Look at the disk's room and state.";
    TroubleWriter "記録の処理が応答していません。" "The writer does not answer.";
    TroubleDiskSpeed "ディスクの書き込みが遅く、受領の返事が遅れています。" "The disk is slow: confirmations come late.";
    TroubleDiskRoom "ディスクの空きが残りわずかです。" "The disk is nearly full.";
    TroubleBroker "MQTT ブローカーにつながっていません。端末の報告は端末に残っています。" "There is no line to the MQTT broker. Terminals keep what they report.";
    TroubleAccess "MQTT ブローカーに、どの端末を通すかを伝えられていません。締め出した端末がつながっているかもしれません。理由はログにあります。" "The MQTT broker could not be told which terminals may come in. A terminal that is blocked may still be connected. The log says why.";
    TroubleClock "この装置の時計が大きく動いたため、時刻を確かめる必要があります。" "This machine's clock has jumped and must be looked at.";
    NoticeWatchTrouble "取込フォルダーを処理できません" "A watched folder can't be worked on";
    NoticeWatchTroubleHint "{number}番目の [[watch]] のフォルダーで、ファイルの取込が止まっています（{what}）。くわしくはサーバーのログにあります。直ると自動で再開し、このお知らせは消えます。" "In the folder of [[watch]] number {number} no files are taken ({what}). The server's log says more. It goes on, and this notice goes, by itself once that is mended.";
    WatchFolder "フォルダーを読めません" "the folder can't be read";
    WatchProfile "プロファイルが使えません" "the profile can't be used";
    WatchFile "ファイルの読み書きや移動ができません" "a file can't be read, written or moved";
    WatchStore "サーバーのデータに書き込めません" "the server's data can't be written";
    NoticeContractMoved "号車の委託契約が替わりました" "The vehicle's contract has changed";
    NoticeContractMovedHint "この端末は前の委託契約のままで、新しい契約の収集リストを受け取れません。terminal bind に --out を付けて新しい設定を作り、端末に入れて起動し直してください。" "This terminal is still under the contract before and gets no list of the new one. Make its new settings by terminal bind with --out, put them on the terminal, and start it anew.";
    NoticeKeysFirst "設定を確かめる鍵を、はじめて受け取りました" "The first keys for configurations have come";
    NoticeKeysFirstHint "鍵一覧の指紋は {fingerprint} です。鍵を作った日の記録と見比べてください（meguri-gateway keys show でも出ます）。合わなければ承認も配信もしないでください。はじめて配信するまで、端末には届きません。" "The key set's fingerprint is {fingerprint}. Compare it with the record of the key ceremony (meguri-gateway keys show tells it, too), and neither approve nor push anything where they differ. Terminals get it with the first push.";
    NoticeKeysRotated "設定を確かめる鍵が替わりました" "The keys for configurations have changed";
    NoticeKeysRotatedHint "鍵一覧{version}、指紋は {fingerprint} です。前の鍵一覧の署名で受け取りました。鍵を替えた日の記録と見比べ、覚えがなければ、鍵を持つ人に確かめてください。" "Key set {version}, fingerprint {fingerprint}. It follows the one before by its signatures. Compare it with the record, and if nobody knows of it, ask those who hold keys.";
    ImportRelease "取り込む" "Take it";
    ImportDrop "取り込まない" "Drop it";
    NoticeSettle "確かめたら片付ける" "Once looked at, put it away";
    NoticeOther "お知らせ" "Notice";
    NoticeNumber "お知らせ {id}" "notice {id}";
    NoticeNumbers "番号 {first}〜{last}" "numbers {first} to {last}";
    NoticeImport "取込 {import}" "import {import}";

    // Contradictions.
    TerminalsDiffer "端末の報告が食い違い" "Terminals differ";
    CollectedThoughCancelled "取消後に収集" "Collected though cancelled";
    CollectedThoughRevisit "再収集予定だが収集" "Collected though another visit is planned";
    CountedAs "いまの扱い：{state}" "counted as: {state}";

    // Reasons.
    ReasonNotOut "未排出" "Not out";
    ReasonTicketShort "納付券不足・未貼付" "Ticket short or missing";
    ReasonOtherItem "品目相違" "Other item";
    ReasonOtherCount "数量相違" "Other count";
    ReasonNotApplied "申込外品" "Not applied for";
    ReasonPlaceNotFound "場所不明" "Place not found";
    ReasonAccessBlocked "進入不可" "Access blocked";
    ReasonUnsafe "重量・危険" "Too heavy or unsafe";
    ReasonNotAccepted "収集不可品" "Not accepted";
    ReasonNoRecyclingTicket "家電リサイクル券なし" "No recycling ticket";
    ReasonBusiness "事業系" "Business waste";
    ReasonOther "その他" "Other";

    // Search.
    SearchTitle "受付番号で検索" "Search by reception number";
    SearchLabel "受付番号" "Reception number";
    SearchDay "日付（なくても可）" "Date (optional)";
    SearchDo "検索" "Search";
    SearchPrompt "受付番号を入れてください。番号は日と地区が違えば重なるので、該当するものをすべて並べます。" "Enter a reception number. Numbers repeat across days and districts, so everything that matches is listed.";
    SearchNone "受付番号 {number} は見つかりません。" "Reception number {number} was not found.";
    SearchNoneDay "{day} に受付番号 {number} は見つかりません。" "Reception number {number} was not found on {day}.";
    SearchMany "{count}件以上あります。新しい日から{count}件を並べました。日付で絞ってください。" "There are {count} or more; the newest {count} are listed. Narrow them down by date.";
    Day "日" "Day";
    District "地区" "District";
    Ward "区" "Ward";
    State "状態" "State";

    // One pickup.
    PickupTitle "受付番号 {number}" "Reception number {number}";
    Address "住所" "Address";
    Spot "排出場所" "Placing spot";
    Notice "連絡事項" "Notes for the crew";
    Round "号車・順番" "Vehicle and order";
    StopNumber "{order}番目" "stop {order}";
    Items "品目" "Items";
    ItemName "品目" "Item";
    ItemCount "点数" "Count";
    ItemTickets "納付券" "Tickets";
    RecyclingTicket "家電リサイクル券" "recycling ticket";
    Payment "支払い" "Payment";
    PaymentTickets "納付券" "Tickets";
    PaymentCashless "キャッシュレス" "Cashless";
    PaymentNumberTag "シール不要（番号札）" "No sticker (number tag)";
    Position "位置" "Position";
    History "経過" "History";
    HistoryOffice "市" "City";
    HistoryAdded "申込を取り込み" "Request imported";
    HistoryChanged "申込を変更" "Request changed";
    HistoryCancelled "取消" "Cancelled";
    HistoryReinstated "取消を撤回" "Reinstated";
    HistoryClosed "報告のないまま契約が終了" "The contract ended without a report";
    HistoryMissing "1日分のファイルに載っていなかったため" "it was missing from a file that is the whole day";
    HistoryUndo "報告を取り下げ" "Report taken back";
    HistoryFile "ファイル {file}" "file {file}";
    ClockTerminal "端末の時計" "Terminal's clock";
    ClockGnss "GNSS時刻" "GNSS time";
    ClockTrusted "端末の基準時刻" "Terminal's trusted time";
    ClockOffice "サーバーの受信" "Received by the server";
    ItemSaid "{name} {collected}点" "{name} {collected}";
    ItemUnknown "申込にない{number}番目の品目" "item {number}, which the request has not";
    ItemLine "{name} {collected}／{count}点" "{name} {collected} of {count}";
    NoteText "メモ" "Note";
    NoteMissing "（本文は届いていないか、消去されました）" "(its text has not arrived or was erased)";
    ReplacesEarlier "この端末の前の報告を訂正" "corrects this terminal's earlier report";
    ListShown "画面の収集リスト 第{version}版" "list on the screen: version {version}";
    Unreadable "この版では読めない記録です" "This version can't read the record";
    FieldChange "{field}：{from} → {to}" "{field}: {from} → {to}";
    FieldChanged "{field}を変更" "{field} changed";
    Contract "委託契約" "Contract";
    Erased "（住所などは消去済み）" "(address and notes were erased)";
    StandsNow "いまの状態" "State now";
    None "なし" "none";

    // The catalogue.
    ItemsTitle "品目を調べる" "Look up items";
    ItemsLabel "品目の名前・よみ・別の呼び方" "Name, reading or another word";
    ItemsNone "「{text}」に合う品目は見つかりません。別の呼び方や、よみの一部でお試しください。" "No item fits “{text}”. Try another word, or a part of its reading.";
    ItemsCount "{count}品目" "{count} items";
    ItemsAll "すべての品目" "All items";
    ItemsEmpty "品目はまだ取り込まれていません" "No catalogue has been imported yet";
    ItemsImport "取り込む" "Import one";
    ItemsImportHow "catalogue import --profile プロファイル ファイル" "catalogue import --profile PROFILE FILE";
    ItemSize "大きさなどの決まり" "Size rule";
    ItemPaid "料金・納付券" "Fee, tickets";
    ItemNotAccepted "収集できません" "Not accepted";
    ItemAlso "別の呼び方：{words}" "also: {words}";
    ItemAlsoMore "、ほか{count}語" ", and {count} more";
    Yen "{yen}円" "{yen} yen";

    // What was set aside.
    AsideTitle "未処理データ" "Set aside";
    AsideLead "届いたが受け取れなかった通信です。ほかの処理は止まっていません。原因を確かめて、更新のあとに処理し直すか、片付けてください。" "Messages that arrived but could not be taken. Everything else went on. Find out why, then process them again after an upgrade or put them away.";
    AsideRetry "処理し直す" "Process again";
    AsideSettle "片付ける" "Put away";
    AsideId "番号" "NUMBER";
    AsideNone "未処理データはありません" "Nothing is set aside";
    AsideOpen "未処理 {count}件" "{count} open";
    AsideSettled "処理済み {count}件" "{count} settled";
    AsideArrived "届いた時刻" "Arrived";
    AsideTerminal "端末" "Terminal";
    AsideTopic "トピック" "Topic";
    AsideProblem "理由" "Problem";
    AsideBytes "{bytes} バイト" "{bytes} bytes";
    AsideEntry "記録番号 {seq}" "entry {seq}";
    AsideCut "先頭だけを表示しています（全体 {bytes} バイト）" "only the beginning is shown (of {bytes} bytes)";
    AsideEmptied "（内容は消去済み）" "(its content was erased)";
    AsideWhole "続きを見る" "See more";
    AsideNumber "未処理データ {id}" "Set aside {id}";
    AsideSettledAt "{time} {how}" "{how} at {time}";
    ProblemTopic "不明なトピック" "unknown topic";
    ProblemTerminal "登録のない端末" "unknown terminal";
    ProblemBlocked "停止中の端末" "the terminal is blocked";
    ProblemContract "端末の委託契約と違う" "the contract is not the terminal's";
    ProblemPickup "該当する収集がありません" "the pickup is unknown";
    ProblemPickupContract "この委託契約の収集ではありません" "the pickup is not of the contract";
    ProblemId "同じ番号で内容の違う記録があります" "another record has the same id";
    ProblemNote "収集の記録と合わないメモ" "a note that fits no record";
    ProblemEpochs "端末が名乗る記録の系列が多すぎる" "too many epochs";
    ProblemMany "件数の上限に達し、以後の分は捨てています" "too many, the rest is dropped";
    ProblemStore "保存できない内容" "the store refused it";
    ProblemVersion "この版では読めない形式" "a version that is not spoken here";
    ProblemMalformed "形式の誤り" "malformed";
    ProblemBounds "範囲外の値" "outside its limits";
    ProblemLarge "大きすぎる" "too large";
    SettledPutAway "確認済み" "put away";
    SettledProcessed "再処理済み" "processed again";
    AsideBack "一覧へ" "Back to the list";
    Page "{page}ページ目" "page {page}";
    PagePrevious "前のページ" "Previous page";
    PageNext "次のページ" "Next page";

    // People.
    People "利用者" "People";
    Audit "操作の記録" "Audit log";
    Account "アカウント" "Account";
    SignIn "サインイン" "Sign in";
    SignOut "サインアウト" "Sign out";
    Login "ログイン名" "Login";
    Password "パスワード" "Password";
    GoOn "続ける" "Go on";
    Back "戻る" "Back";
    SignInFailed "サインインできません。ログイン名とパスワードを確かめてください。続けて間違えると、しばらく受け付けません。" "This does not sign in. Check login and password; after several failures a login waits for a while.";
    SignInForgot "パスワードを忘れたときは、市の管理者に再発行を頼んでください。" "If you forgot the password, ask the city's administrator for another one.";
    OpenIdDo "市の認証でサインイン" "Sign in with the city's account";
    OpenIdOr "ログイン名とパスワードで" "By login and password";
    OpenIdEmergency "非常時のサインイン" "Sign in in an emergency";
    OpenIdEmergencyLead "市の認証が使えないときに、サーバーの運用担当が許した人だけが使えます。" "While the city's account can't be used, for those alone whom the server's operator has let in.";
    OpenIdAway "市の認証につながりません。しばらく待って、もう一度試してください。続くときは、情報システム担当に知らせてください。" "The city's account can't be reached. Wait a little and try again; if it goes on, tell those who run the systems.";
    OpenIdAgain "市の認証でのサインインを終えられませんでした。もう一度、はじめからサインインしてください。" "Signing in with the city's account came to no end. Begin anew.";
    OpenIdRefused "このアカウントでは使えません。市の管理者に頼んでください。" "This account is of no use here. Ask the city's administrator.";
    SecondFactor "二段階認証" "Second factor";
    Code "確認コード" "Code";
    CodeAsked "認証アプリに出ている6桁の数字を入れてください。" "Enter the six digits that your authenticator app shows.";
    CodeWrong "コードが違います。いま表示されている数字を入れてください。続けて間違えると、しばらく受け付けません。" "The code is wrong. Enter the one shown now; after several failures it waits for a while.";
    CodeLost "スマートフォンがないときは、控えておいた復旧コードを入れてください。それもないときは、市の管理者に頼んでください。" "Without your telephone, enter a recovery code that you kept; without one, ask the city's administrator.";
    CodeNow "いまの確認コード" "The code of now";
    NotConfirmed "本人と確かめられませんでした。入れ直してください。続けて間違えると、しばらく受け付けません。" "This does not show that it is you. Enter it again; after several failures it waits for a while.";
    SessionsOpen "サインイン中" "Signed in";
    SessionSince "{since}から（最後の操作 {seen}）" "since {since} (last seen {seen})";
    SessionThis "この画面" "here";
    SessionsEnd "ほかを全部サインアウト" "Sign out everywhere else";
    SetUpTitle "はじめの設定" "First set-up";
    SetUpLead "最初の管理者を作ります。設定コードは、このサーバーの次のファイルにあります。" "This makes the first administrator. The set-up code is in this file on the server:";
    SetUpCode "設定コード" "Set-up code";
    SetUpCodeWrong "設定コードが違います。サーバーを起動し直すと、コードは新しくなります。" "The set-up code is wrong. It is a new one after each start of the server.";
    SetUpDo "管理者を作る" "Make the administrator";
    PersonName "名前" "Name";
    LoginWrong "ログイン名は40文字までの英小文字、数字、「.」「-」「_」です。名前は60文字までです。" "A login is up to 40 of a-z, 0-9, '.', '-' and '_'; a name has up to 60 characters.";
    LoginTaken "そのログイン名はすでに使われています。" "This login is taken.";
    LoginUnknown "そのログイン名の利用者はいません。" "Nobody has this login.";
    ContractorNeeded "配車担当には収集業者を選んでください。" "Choose the contractor of a dispatcher.";
    LastAdministrator "ほかにサインインできる管理者がいません。先に別の管理者を作ってください。" "No other administrator could sign in. Make another one first.";
    PasswordChange "パスワードを変更" "Change the password";
    PasswordFirst "発行されたパスワードは一度だけ使えます。自分のパスワードに変えてください。" "The password you were given is good once. Choose your own.";
    PasswordOneTime "発行されたパスワード" "The password you were given";
    PasswordNow "いまのパスワード" "Present password";
    PasswordNew "新しいパスワード" "New password";
    PasswordAgain "新しいパスワード（確認）" "New password, again";
    PasswordRule "{least}文字以上。言葉をいくつか並べると、長くても覚えやすくなります。" "At least {least} characters. A few words in a row are long and easy to keep in mind.";
    PasswordWrong "いまのパスワードが違います。" "The present password is wrong.";
    PasswordSame "前と違うパスワードにしてください。" "Choose another one than before.";
    PasswordsDiffer "新しいパスワードが二つの欄で違います。" "The two new passwords differ.";
    PasswordShort "パスワードは{least}文字以上にしてください。" "A password has at least {least} characters.";
    PasswordLong "パスワードが長すぎます。" "The password is too long.";
    PasswordEasy "このパスワードは簡単に当てられます。別のものにしてください。" "This password is guessed too easily. Choose another one.";
    SecondNeeded "この役割には二段階認証が必要です。" "Your role needs a second factor.";
    SecondApp "スマートフォンに認証アプリを入れます。" "Put an authenticator app on your telephone.";
    SecondScan "アプリでこのコードを読み取ります。" "Have the app read this code.";
    SecondType "読み取れないときは、次の文字を入れます。" "If it can't, type this:";
    SecondCode "アプリに出た6桁の数字を入れます。" "Enter the six digits that the app shows.";
    SecondDo "設定する" "Set it up";
    SecondThere "設定済み（復旧コード 残り{left}個）" "set up ({left} recovery codes left)";
    SecondOn "二段階認証あり" "second factor";
    SecondOff "二段階認証なし" "no second factor";
    SecondBegin "二段階認証を設定" "Set up a second factor";
    SecondAnew "二段階認証を設定し直す" "Set the second factor up anew";
    RecoveryCodes "復旧コード" "Recovery codes";
    RecoveryLead "スマートフォンが使えないときに、確認コードの代わりに一つずつ使えます。いま印刷するか書き写して、鍵のかかる所に置いてください。もう一度は表示しません。" "Each stands in for a code once, when your telephone can't be used. Print them or write them down now, and lock them away: they are not shown again.";
    RecoveryKept "控えました" "I have kept them";
    RoleTitle "役割" "Role";
    RoleAdministrator "市の管理者" "City administrator";
    RoleViewer "市の閲覧者" "City viewer";
    RoleReception "受付担当" "Reception";
    RoleDispatcher "配車担当（収集業者）" "Dispatcher (contractor)";
    RoleAuditor "監査担当" "Auditor";
    ContractorOfDispatcher "収集業者（配車担当のみ）" "Contractor (dispatchers)";
    PersonAdd "利用者を追加" "Add a person";
    PersonAddDo "追加" "Add";
    PersonAddLead "一度だけ使えるパスワードが表示されます。本人に直接渡してください。" "A password that is good once is shown. Hand it to the person directly.";
    PersonDone "{login} を変更しました。" "{login} is changed.";
    PersonDrawn "{login} の一度だけ使えるパスワードです。もう一度は表示しません。本人に直接渡してください。" "This is the one-time password of {login}. It is not shown again; hand it over directly.";
    PersonLast "前回のサインイン {time}" "last signed in {time}";
    PersonNever "サインインしたことがない" "never signed in";
    PersonMustChange "パスワード変更待ち" "must change the password";
    PersonBlocked "停止中" "Blocked";
    PersonChange "変更" "Change";
    PersonRoleDo "役割を変える" "Change the role";
    PersonOfProvider "市の認証" "By the city's account";
    PersonVouched "この人の役割は、市の認証のグループで決まります。そちらで変えてください。" "The role of this person follows from the groups of the city's accounts. Change it there.";
    PersonResetSecond "二段階認証を外す" "Take the second factor away";
    PersonReset "パスワードを再発行" "Reset the password";
    PersonResetHint "二段階認証も解除され、サインイン中の画面は終わります。" "The second factor goes, too, and whatever is signed in ends.";
    PersonBlock "停止する" "Block";
    PersonUnblock "停止を解除" "Let in again";
    ByToken "外部システム {id}" "system {id}";
    ByCommand "サーバーの命令（利用者番号 {user}）" "command on the server (user {user})";
    ByNobody "サインイン前" "not signed in";
    ByGateway "サーバー" "the server";
    AuditMany "新しいものから{count}件を並べました。すべては audit show で見られます。" "The newest {count} are listed; audit show has all of them.";
    AuditNone "この日の記録はありません" "Nothing was written down on this day";
    DidStarted "サーバーを起動" "Server started";
    DidRepaired "電源断で切れた記録を修復" "A line cut by a power cut was put right";
    DidMissing "記録の末尾が欠けていた" "Entries were missing at the end";
    DidUndone "直前の変更は確定しなかった" "The change before was not committed";
    DidSignIn "サインイン" "Signed in";
    DidCode "二段階認証を通過" "Second factor given";
    DidFail "サインインに失敗" "Sign-in failed";
    DidNotConfirm "本人の確認に失敗" "Not confirmed to be themselves";
    DidSignOut "サインアウト" "Signed out";
    DidSetUp "最初の管理者を作成" "First administrator made";
    DidPersonAdded "利用者を追加" "Person added";
    DidPersonBlocked "利用者を停止" "Person blocked";
    DidPersonUnblocked "利用者の停止を解除" "Person let in again";
    DidPersonReset "パスワードを再発行" "Password reset";
    DidPersonRole "役割を変更" "Role changed";
    DidPersonEmergency "非常時のサインインを許可" "Let in by password";
    DidPassword "パスワードを変更" "Password changed";
    DidSecond "二段階認証を設定" "Second factor set up";
    DidTokenAdded "トークンを発行" "Token made";
    DidTokenRevoked "トークンを失効" "Token revoked";
    DidTerminalAdded "端末を追加" "Terminal made";
    DidTerminalCertificate "市の認証局の端末証明書を登録" "Terminal's certificate of the city's authority registered";
    DidTerminalSecret "端末の秘密を引き直し" "Terminal's secret drawn anew";
    DidTerminalBound "端末の号車を変更" "Terminal bound to another vehicle";
    DidTerminalBlocked "端末を締め出し" "Terminal blocked";
    DidTerminalCode "端末の登録コードを発行" "Enrolment code drawn";
    DidTerminalEnrolled "端末を登録" "Terminal enrolled";
    DidTerminalRenewed "端末の証明書を更新" "Terminal's certificate renewed";
    DidTerminalUnblocked "端末の締め出しを解除" "Terminal let in again";
    DidReleaseTaken "端末の設定の受取り" "Release of configurations";
    DidSwitchoverDrafted "業者切替を起案" "Switchover drafted";
    DidSwitchoverChecked "業者切替を点検" "Switchover checked";
    DidSwitchoverApproved "業者切替を承認" "Switchover approved";
    DidSwitchoverPushed "業者切替を配信" "Switchover pushed";
    DidSwitchoverStopped "業者切替の配信を停止" "Switchover stopped";
    DidSwitchoverWithdrawn "業者切替を取りやめ" "Switchover withdrawn";
    DidSwitchoverClosed "業者切替を完了" "Switchover closed";
    DidReadSwitchover "業者切替の準備の状況を閲覧" "Looked at a switchover's readiness";
    DidTerminalLost "端末の紛失・盗難を登録" "Terminal reported lost";
    DidAsideRetried "未処理データを処理し直し" "Set-aside processed again";
    DidAsideSettled "未処理データを片付け" "Set-aside put away";
    DidNoticeSettled "お知らせを片付け" "Notice settled";
    DidCrewAdded "乗務員を追加" "Crew member added";
    DidCrewPin "乗務員の暗証番号を変更" "Crew member given another PIN";
    DidCrewRemoved "乗務員を削除" "Crew member removed";
    DidClock "時計を確認" "Clock said to be right";
    DidImport "申込の取り込み" "Import";
    DidCatalogue "品目表の取り込み" "Catalogue taken";
    DidTerminalCodeVoided "端末の登録コードを取り消し" "Enrolment code voided";
    DidTerminalRecorded "端末の台帳を変更" "Terminal's register changed";
    DidTerminalHandedOver "端末の引渡しを記録" "Terminals handed over";
    DidTerminalReturned "端末の返却を記録" "Terminals given back";
    DidBackup "バックアップを開始" "Backup begun";
    DidRestore "バックアップから復元" "Backup put back";
    DidReadTerminals "端末の画面を表示" "Saw terminals";
    DidReadCrews "乗務員の一覧を表示" "Saw the crews";
    DidReadTokens "トークンの一覧を表示" "Saw the tokens";
    DidReadPeople "利用者の一覧を表示" "Saw the accounts";
    DidReadDay "一日の画面を表示" "Saw a day";
    DidReadPickup "収集の画面を表示" "Saw a pickup";
    DidReadExposure "端末にあった個人情報を照会" "Looked up whose data a terminal held";
    DidReadSearch "受付番号で検索" "Searched";
    DidReadAside "未処理データを表示" "Saw what was set aside";
    DidReadStream "自動更新の画面を開始" "Opened a live page";
    DidReadExport "結果を書き出し" "Exported results";
    DidReadAudit "操作の記録を表示" "Saw the audit log";
    DidRefused "権限のない操作を拒否" "Refused";

    // Terminals.
    Terminals "端末" "Terminals";
    TerminalsAll "{count}台" "{count} in all";
    TerminalsNone "該当する端末はありません" "No terminal matches";
    TerminalSearch "端末名・号車・業者・備品番号・SIM番号・受取者で探す" "Name, vehicle, contractor, asset or SIM number, holder";
    TerminalTitle "端末 {terminal}" "Terminal {terminal}";
    TerminalNow "いまの状態" "As it is now";
    TerminalBlocked "停止中" "Blocked";
    TerminalBlockedSince "{time}から" "since {time}";
    TerminalLost "紛失・未消去" "Lost, not erased";
    TerminalErased "紛失・消去済み" "Lost, erased";
    TerminalLostSince "{time}に届出、まだ消去されていません" "lost since {time}, not erased yet";
    TerminalErasedAt "{erased}に消去済み（届出 {lost}）" "erased {erased} (lost since {lost})";
    TerminalNotEnrolled "未登録" "Not enrolled";
    TerminalHeard "最後の連絡 {time}" "last heard {time}";
    TerminalNeverHeard "まだ連絡なし" "not heard yet";
    TerminalLast "連絡" "Contact";
    TerminalUnsent "未送信" "Not sent";
    TerminalVersion "版" "Version";
    TerminalHolder "所持" "Held by";
    HolderCity "市" "the city";
    HolderSince "{day}から" "since {day}";
    Certificate "証明書" "Certificate";
    CertificateUntil "{day}まで" "until {day}";
    CertificateRenews "{day}ごろ自動更新" "renews by itself about {day}";
    CertificateConnected "{day}に接続を確認" "came in by it on {day}";
    CertificateWaiting "まだ接続していません" "has not come in by it yet";
    CertificateOver "{day}に切れました" "over since {day}";
    CertificateAnew "登録し直してください" "it has to enrol anew";
    CertificateNone "まだありません（登録が必要です）" "none yet: it has to enrol";
    TerminalAdd "端末を作る" "Make a terminal";
    TerminalAddDo "作る" "Make it";
    TerminalName "端末名（一生変わりません）" "Name (for life)";
    TerminalAddLead "作ったあと、その端末の画面で登録コードを出し、タブレットで読み取ります。" "Then draw its enrolment code on its page, and have the tablet scan it.";
    TerminalAddHow "terminal add 端末名 --vehicle 号車 --out フォルダー" "terminal add NAME --vehicle VEHICLE --out DIR";
    TerminalAddedDone "端末を作りました。次に登録コードを出してください。" "The terminal is made. Now draw its enrolment code.";
    TerminalTaken "その端末名はすでに使われています。端末名は一台に一つ、一生のものです。" "This name is taken: a terminal is named once, for life.";
    TerminalNameWrong "端末名は40文字までの英小文字、数字、途中の「-」です（例 t-0001）。" "A name is up to 40 of a-z, 0-9 and hyphens within, like t-0001.";
    TerminalVehicleUnknown "号車を選んでください。" "Choose a vehicle.";
    TerminalNoTls "端末の登録には TLS が必要です。設定の tls.names にサーバーの名前を書いて起動し直すと、ここから登録できます。" "Terminals enrol over TLS: name the server in tls.names and start it anew.";
    TerminalSecretDraw "TLS を使わない端末の秘密を引き直す" "Draw the secret of a terminal without TLS anew";
    TerminalEnrolment "タブレットの登録" "Enrolment";
    TerminalCode "登録コード" "Enrolment code";
    TerminalCodeLead "一度だけ使えるコードを出し、タブレットの登録画面で読み取ります。登録し直すと、この端末の前の証明書は使えなくなり、停止も解けます。" "Draws a code that is good once, for the tablet to scan. Enrolling anew ends the certificates before it, and lets a blocked terminal in again.";
    TerminalCodeDraw "登録コードを出す" "Draw a code";
    TerminalCodeAnew "コードを出し直す" "Draw another code";
    TerminalCodeOpen "登録コードが出ています（{time}まで有効）。" "A code is open until {time}.";
    TerminalCodeTaken "コードが重なりました。もう一度出してください。" "That code was taken. Draw another one.";
    TerminalCodeScan "タブレットの登録画面で、このQRコードを読み取ってください。読み取れないときは、コードとアドレスを入力します。" "Have the tablet's enrolment screen scan this, or type code and address.";
    TerminalCodeOnce "一度だけ使えます。この画面を閉じると、もう一度は表示しません。出し直すと、前のコードは使えなくなります。" "Good once, and not shown again after this page. Drawing another one voids it.";
    TerminalCodeUntil "有効期限" "Holds until";
    TerminalCodeUntilTime "{time}まで（{minutes}分間）" "{time} ({minutes} minutes)";
    TerminalOffice "アドレス" "Address";
    TerminalVoid "コードを取り消す" "Void the code";
    TerminalVoidDone "登録コードを取り消しました。" "The code is void.";
    TerminalStopTitle "停止" "Blocking";
    TerminalBlock "停止する" "Block it";
    TerminalUnblock "停止を解除" "Let it in again";
    TerminalBlockHint "使わせたくないときに締め出します。中の情報は消しません。なくしたときは、停止ではなく「紛失・盗難」です。" "Keeps it out, and erases nothing. Report one that is lost instead of blocking it.";
    TerminalUnblockHint "停止しています。サーバーにつながりません。" "It is blocked and can't connect.";
    TerminalBlockAsk "端末 {terminal} を停止しますか" "Block terminal {terminal}?";
    TerminalUnblockAsk "端末 {terminal} の停止を解除しますか" "Let terminal {terminal} in again?";
    BlockEndsLine "つながっていれば、その場で切れ、もうつながりません。" "Its connection ends at once, and it can't connect any more.";
    BlockVoidsCode "出してある登録コードは使えなくなります。" "An open enrolment code is void.";
    BlockKeepsRecords "送られていない収集の記録は、端末に残ります。" "What it has not sent stays on it.";
    BlockKeepsLists "端末の中の収集リスト（住所など）は消えません。なくしたときは、停止せずに「紛失・盗難」を届け出てください。" "The lists on it (addresses) are not erased by this. Report one that is lost instead of blocking it.";
    BlockUndone "いつでも解除できます。新しい登録コードで登録し直しても解けます。" "It can be let in again at any time, or enrolled anew by a new code.";
    UnblockLetsIn "いまの証明書で、またつながります。" "It comes in again by the certificate that it has.";
    UnblockSends "端末に残っている収集の記録が届きます。" "What it has not sent will arrive.";
    UnblockRather "人手に渡っていたおそれがあれば、解除せずに、新しい登録コードで登録し直してください。" "Where somebody else may have had it, enrol it anew by a new code instead.";
    TerminalLostTitle "紛失・盗難" "Lost or stolen";
    TerminalLostDo "紛失・盗難を届け出る" "Report it lost";
    TerminalLostHint "なくしたとき、盗まれたときは、見つかるのを待たずに届け出てください。つながりしだい、端末が中の情報を自分で消します。" "Report it at once, without waiting for it to turn up: the next time it finds a line it erases itself.";
    TerminalLostWaits "つながりしだい消去されます。SIMは、消去が終わるまで止めないでください。" "It erases itself as soon as it has a line. Don't have its SIM blocked before.";
    TerminalErasedHint "中の情報は消え、締め出されています。見つかったら、端末の画面の「登録し直す」と新しい登録コードで登録します。送れていなかった記録は、そのときに届きます。" "What it held is destroyed, and it is kept out. If it turns up, press 登録し直す on its screen and enrol it by a new code: what it had not sent arrives then.";
    TerminalLostAsk "端末 {terminal} を紛失・盗難として届け出ますか" "Report terminal {terminal} lost or stolen?";
    LostErases "つながりしだい、端末が収集リスト・メモ・乗務員の一覧とその鍵を自分で消し、消し終えると締め出されます。" "As soon as it has a line it destroys its lists, notes, list of crews and their keys, and is kept out once that is done.";
    LostTakesNothing "消去のほかには何も受け取れず、その端末からの記録も受け付けません。" "Until then it gets nothing else, and nothing that it says is taken.";
    LostSim "SIMは、消去が終わるまで止めないでください。止めると消去が届きません。" "Don't have its SIM blocked before: the erasure needs its line.";
    LostKeepsRecords "まだ送られていない収集の記録は、端末に残ります。見つかれば届きます。" "What was recorded and not sent stays on it, and arrives when it is found.";
    LostUndone "見つかれば、元に戻せます。消去のあとは、登録し直せば使えます。" "If it turns up it can be let in again; after its erasure, enrolled anew.";
    LostEnrolling "代わりのタブレットをこの名前で登録すると「紛失」は解け、なくした端末には消去が届かなくなります。消去を待つときは、別の名前の端末を使ってください。" "Enrolling another tablet under this name ends the report of loss: the erasure can't reach the lost one any more. To wait for it, use another name meanwhile.";
    TerminalLostDone "紛失・盗難を届け出ました。つながりしだい消去されます。" "It is reported lost, and will be erased as soon as it has a line.";
    TerminalFound "見つかった" "It is found";
    TerminalFoundAsk "端末 {terminal} は見つかりましたか" "Is terminal {terminal} found?";
    FoundLetsIn "紛失の届出を取り消します。消去はされず、いまの証明書でまたつながります。" "It is not lost any more: it is not erased, and comes in again by the certificate that it has.";
    FoundRather "中を開けられたおそれがあれば、取り消さずに消去を待ってください。" "Where somebody may have opened it, leave it to its erasure instead.";
    TerminalFoundDone "紛失の届出を取り消しました。" "It is not lost any more.";
    TerminalBehind "記録しましたが、ブローカー（Mosquitto）にはまだ伝わっていません。伝わるまで、端末はこれまでどおりつながります。サーバーは伝わるまで続けて試みます。" "It is noted, but the broker (Mosquitto) has not been told yet: until it is, the terminal comes in as before. The server goes on trying.";
    TerminalBlockDone "端末を停止しました。" "The terminal is blocked.";
    TerminalUnblockDone "停止を解除しました。" "The terminal is let in again.";
    DoNot "やめる" "Don't";
    Print "印刷" "Print";

    // Whose data a terminal held.
    Exposure "漏えい照会" "Whose data it held";
    ExposureTitle "漏えい照会：端末 {terminal}" "Whose data terminal {terminal} held";
    ExposureLead "なくした日から消えた日（わからなければ今日）までを入れます。その期間に端末に入っていた可能性のある申込みが、あとで別の号車に移したものも含めて出ます。" "Give the day on which it was lost and the day of its erasure, or today. Every request that may have been on it between is named, also where it moved to another vehicle later.";
    ExposureNoted "照会したことは、操作の記録に残ります。" "That it was looked up stands in the audit log.";
    ExposureLaw "漏えいのおそれを知った日からおおむね3〜5日以内に、個人情報保護委員会への速報が要ることがあります（個人情報の保護に関する法律 第68条、同法施行規則 第43〜45条）。要るかどうかは市の担当で判断してください。" "A first report to the Personal Information Protection Commission may be due within three to five days (Act on the Protection of Personal Information, article 68; its enforcement rules, articles 43 to 45). Whether it is, is the city's to judge.";
    ExposureFrom "初めの日" "First day";
    ExposureTo "終わりの日" "Last day";
    ExposureKept "端末がリストを残す日数" "Days that it keeps a list";
    ExposureDo "照会する" "Look it up";
    ExposureCount "{from}〜{to}：{count}件" "{from} to {to}: {count} requests";
    ExposureNone "この期間に端末に入っていた申込みはありません。" "It held nobody's request on these days.";
    ExposureCsv "全件をCSVで保存" "All of them as CSV";
    ExposureDay "収集日" "Day";
    ExposureFirst "初めて送った" "First sent";
    ExposureLast "最後に送った" "Last sent";
    ExposureBefore "記録前" "before it was noted";

    // The register of terminals as things.
    Register "台帳" "Register";
    RegisterDo "台帳を保存" "Keep it";
    RegisterDone "台帳を保存しました。" "The register is kept.";
    RegisterTaken "{field}は端末 {terminal} で使われています。" "{field}: terminal {terminal} has it already.";
    RegisterWordWrong "備品番号・型式・製造番号は60文字までの1行です。" "Asset number, model and serial number have up to 60 characters, on one line.";
    Asset "備品番号" "Asset no.";
    Iccid "SIM番号（ICCID）" "SIM no. (ICCID)";
    IccidWrong "SIM番号（ICCID）は、89で始まる18〜20桁の数字です。カードの面に印刷されています。" "A SIM number (ICCID) has 18 to 20 digits and begins with 89; it is printed on the card.";
    LineNumber "回線番号" "Line no.";
    LineNumberWrong "回線番号は、0で始まる10〜14桁の数字です。" "A line's number has 10 to 14 digits and begins with 0.";
    Model "型式" "Model";
    SerialNumber "製造番号" "Serial no.";
    Remarks "備考" "Remarks";
    RemarksWrong "備考は500文字までです。" "Remarks have up to 500 characters.";

    // Handing over.
    Handing "受渡し" "Handing over";
    HandingOf "端末 {count}台" "{count} terminals";
    HandingBegin "受渡し・受渡書" "Hand over, sheet to sign";
    HandingChoose "選ぶ" "Choose";
    HandingChooseOne "端末 {terminal} を選ぶ" "Choose terminal {terminal}";
    HandingKind "受渡しの種類" "Which way";
    HandingOver "引渡し" "Handed over";
    HandingBack "返却" "Given back";
    HandingDay "受渡しの日" "Day";
    HandingPerson "業者側の氏名" "Who signs for the contractor";
    HandingThings "いっしょに渡すもの（1行に一つ）" "What goes with it (one a line)";
    HandingThingsLikely "タブレット本体|充電器|充電ケーブル|車載ホルダー" "Tablet|Charger|Charging cable|Vehicle mount";
    HandingSheet "受渡書" "Handover sheet";
    HandingSheetShow "受渡書を表示" "Show the sheet";
    HandingSheetAgain "受渡書" "Sheet";
    HandingSheetLead "A4で印刷し、双方が押印します。受け渡したら、前の画面で「受渡しを記録」を押してください。" "Print it on A4 for both sides to seal. Then record the handing over on the page before.";
    HandingDo "受渡しを記録" "Record it";
    HandingDone "受渡しを記録しました。" "It is recorded.";
    HandingLead "受渡書は記録する前に何度でも表示できます。記録は、あとから消したり直したりできません。" "The sheet can be shown as often as you like before. What is recorded can't be changed or removed.";
    HandingLacking "備品番号かSIM番号のない端末があります。先に台帳に書くと、受渡書に載ります。" "Some have no asset or SIM number. Write them into the register first to have them on the sheet.";
    HandingHistory "受渡しの経過" "Who has had it";
    HandingNone "受渡しの記録はありません" "Nothing is recorded";
    HandingTerminalsWrong "端末を1台から60台まで選んでください。" "Choose 1 to 60 terminals.";
    HandingDayWrong "受渡しの日は、今日までの日付です。" "The day is today or before.";
    HandingPersonWrong "業者側の氏名を60文字までで書いてください。" "Write who signs for the contractor, in up to 60 characters.";
    HandingThingsWrong "渡すものは20行まで、1行60文字までです。" "At most 20 things, each of up to 60 characters.";
    HandingContractorWrong "収集業者を選んでください。" "Choose the contractor.";
    HandingNotHeld "端末 {terminal} は、引き渡されていません。" "Terminal {terminal} is with nobody.";
    HandingHeld "端末 {terminal} は、ほかの業者が持っています。先に返却を記録してください。" "Another contractor has terminal {terminal}. Record first that it was given back.";
    HandingLater "端末 {terminal} には、もっと新しい記録（{day}）があります。" "Of terminal {terminal} something later is recorded ({day}).";
    SheetHandover "端末受渡書（引渡し）" "Handover of terminals";
    SheetReturn "端末受渡書（返却）" "Return of terminals";
    SheetHandoverSays "次の端末と付属品を引き渡し、受け取りました。" "The terminals and things below were handed over and received.";
    SheetReturnSays "次の端末と付属品を返却し、受け取りました。" "The terminals and things below were given back and received.";
    SheetDate "日付" "Date";
    SheetFrom "引渡し側" "Handed over by";
    SheetTo "受取側" "Received by";
    SheetSigned "氏名" "Name";
    SheetTerminals "端末" "Terminals";
    SheetName "端末名" "Name";
    SheetThings "付属品" "Things that go with them";
    SheetThing "品名" "Thing";
    SheetCount "数" "Count";
    SheetChecked "確認" "Checked";
    SheetNote "端末をなくしたとき、盗まれたときは、直ちに市へ連絡してください。" "Tell the city at once when a terminal is lost or stolen.";

    // Crews.
    Crews "乗務員" "Crews";
    CrewsAll "{count}人" "{count} in all";
    CrewsLead "端末で収集リストを見るときに、名前を選んで暗証番号を入れます。乗務員を一人も登録していない収集業者の端末は、サインインなしで使えます。" "They choose their name on a terminal and type their PIN to see its lists. Terminals of a contractor without any need no sign-in.";
    CrewsNone "乗務員は登録されていません" "No crew is registered";
    CrewsNoMatch "該当する乗務員はいません" "Nobody matches";
    CrewSearch "名前・番号・業者で探す" "Name, number or contractor";
    CrewId "番号（記録に残ります）" "Number (stands in records)";
    CrewName "名前（端末の画面に出ます）" "Name (shown on terminals)";
    CrewContractor "収集業者" "Contractor";
    CrewPinSet "暗証番号の設定 {time}" "PIN set {time}";
    CrewAdd "乗務員を追加" "Add a member";
    CrewAddDo "追加" "Add";
    CrewAddLead "暗証番号が一度だけ表示されます。本人だけに渡してください。" "A PIN is shown this once. Hand it to that person alone.";
    CrewTaken "その番号は使われているか、以前に使われていました。記録が混ざらないように、別の番号にしてください。" "This number is, or was, somebody's. Choose another one, so that records stay apart.";
    CrewIdWrong "番号は40文字までの英小文字、数字、途中の「-」です（例 m-012）。" "A number is up to 40 of a-z, 0-9 and hyphens within, like m-012.";
    CrewNameWrong "名前は{count}文字までの1行です。" "A name has up to {count} characters, on one line.";
    CrewContractorWrong "収集業者を選んでください。" "Choose the contractor.";
    CrewFull "一つの収集業者に登録できるのは{count}人までです。辞めた人を削除してください。" "A contractor has {count} members at most. Remove those that have left.";
    CrewPinDraw "新しい暗証番号を出す" "Draw another PIN";
    CrewPinHint "忘れたとき、人に知られたとき。前の番号は、端末に届くまでは使えます。" "When it was forgotten, or seen. Terminals take the one before until they have heard of it.";
    CrewRemove "削除する" "Remove";
    CrewRemoveAsk "{name}（{id}）を削除しますか" "Remove {name} ({id})?";
    RemoveSignsOut "つながっている端末ではすぐに、圏外の端末では次につながったときに、サインインできなくなります。" "Terminals let them in no more: those with a line at once, the others once they have one.";
    RemoveKeepsRecords "これまでの収集の記録は残ります。" "What they recorded stays.";
    RemoveForLife "番号 {id} は、ほかの人には使えません。元には戻せません。" "The number {id} is never anybody else's. This can't be taken back.";
    RemoveLast "これで{contractor}の乗務員がいなくなり、その端末はサインインなしで収集リストを見られるようになります。" "Nobody of {contractor} is left then: its terminals show their lists without a sign-in.";
    CrewRemovedDone "乗務員を削除しました。" "The member is removed.";
    PinTitle "暗証番号" "PIN";
    PinOnce "もう一度は表示しません。ほかの人に見せず、本人だけに渡してください。この画面を閉じて忘れたときは、新しい番号を出します。" "It is not shown again. Let nobody else see it, and hand it to that person alone. Where it gets lost, draw another one.";
    PinUse "端末の「乗務員のサインイン」で名前を選び、この番号を入れます。" "On the terminal's sign-in choose your name and type this.";
    PinKeep "だれにも教えないでください。タブレットに書いたり貼ったりせず、覚えたらこの紙は捨ててください。" "Tell nobody. Don't write it on the tablet; throw this paper away once you know it.";

    // Other systems' tokens.
    Tokens "トークン" "Tokens";
    TokensLead "外部のシステム（監視、受付システムなど）が、サインインの代わりに使います。" "Other systems (monitoring, reception) use them instead of a sign-in.";
    TokensNone "トークンはありません" "There is no token";
    TokenAdd "トークンを発行" "Make a token";
    TokenAddDo "発行" "Make it";
    TokenAddLead "トークンは一度だけ表示されます。使うシステムの設定に、その場で入れてください。" "It is shown once: put it into the system's settings at once.";
    TokenName "システムの名前" "The system's name";
    TokenScopes "開けるもの" "What it opens";
    OpensMetrics "監視（/metrics、/health）" "Monitoring (/metrics, /health)";
    OpensConfigurations "端末の設定（/api/releases、/api/configurations）" "Configurations (/api/releases, /api/configurations)";
    OpensExport "結果の書き出し（/api/export）" "Results (/api/export)";
    TokenContractor "範囲" "Whose";
    TokenWhole "市全体" "All of the city";
    TokenTaken "その名前のトークンがあります（失効したものも含みます）。別の名前にしてください。" "There is, or was, a token of this name. Choose another one.";
    TokenUnknown "そのトークンはもう使えません。" "That token does not hold any more.";
    TokenWrong "名前は40文字までの英数字、「.」「-」「_」です。開けるものを一つ以上選んでください。" "A name is up to 40 letters, digits, '.', '-' and '_'. Choose at least one thing that it opens.";
    TokenMade "トークンを発行しました。" "The token is made.";
    TokenMadeOnce "{name} のトークンです。もう一度は表示しません。" "This is the token of {name}. It is not shown again.";
    TokenMadeAt "発行 {time}" "made {time}";
    TokenUsedAt "最後に使用 {time}" "last used {time}";
    TokenUnused "使われたことがない" "never used";
    TokenRevoke "失効させる" "Revoke";
    TokenRevokeDo "{name} を失効させる" "Revoke {name}";
    TokenRevokeHint "そのシステムは、すぐに読めなくなります。元には戻せません。" "That system is shut out at once. This can't be taken back.";
    TokenRevokedAt "失効 {time}" "revoked {time}";
    TokenRevokedDone "トークンを失効させました。" "The token is revoked.";

    // When something is wrong.
    ErrorForbidden "この操作は許可されていません" "You may not do this";
    ErrorForbiddenHint "いまの役割ではできません。必要なときは市の管理者に頼んでください。" "Your role does not allow it. Ask the city's administrator where you need it.";
    ErrorUnauthorized "サインインが必要です" "Not signed in";
    ErrorUnauthorizedHint "サインインし直してください。外部システムは有効なトークンを付けてください。" "Sign in again. Other systems need a token that holds.";
    ErrorForm "この画面は古くなっています" "This form is out of date";
    ErrorFormHint "元の画面を開き直して、もう一度操作してください。ほかのサイトからの送信は受け付けません。" "Open the page again and repeat what you did. Forms from other sites are not taken.";
    ErrorTooLarge "送られた内容が大きすぎます" "What was sent is too large";
    ErrorTooLargeHint "元の画面を開き直して、短い内容で送ってください。" "Open the page again and send less.";
    ErrorSlow "サインインが混み合っています" "Too many sign-ins";
    ErrorSlowHint "1分ほど待って、もう一度サインインしてください。" "Wait a minute and sign in again.";
    ErrorHasty "短い間に画面を開きすぎています" "Too many pages in a short time";
    ErrorHastyHint "一分ほど待って、もう一度開いてください。" "Wait a minute and open it again.";
    ErrorAudit "操作の記録を書けません" "The audit log can't be written";
    ErrorAuditHint "記録を残せない間は、住民の情報を表示せず、変更も行いません。サーバーのディスクとログを確かめてください。" "While nothing can be written down, no resident's data is shown and nothing is changed. Look at the server's disk and log.";
    ErrorBad "この指定では表示できません" "This can't be shown";
    ErrorBadHint "アドレスの {field} に {found} とあります。{expected}" "The address says {found} for {field}. {expected}";
    ErrorDate "2026-04-01 のような日付を指定してください。" "Expected a date like 2026-04-01.";
    ErrorBy "ward、contractor、vehicle のどれかを指定してください。" "Expected ward, contractor or vehicle.";
    ErrorDays "初めの日より後の日付を指定してください。" "Expected a day that is not before the first one.";
    ErrorKept "0 から 60 までの日数を指定してください。" "Expected 0 to 60 days.";
    ErrorNumber "40文字までの受付番号を指定してください。" "Expected a reception number of at most 40 characters.";
    ErrorWords "100文字までの言葉を指定してください。" "Expected words of at most 100 characters.";
    ErrorPage "1 からのページ番号を指定してください。" "Expected a page number from 1.";
    ErrorId "一覧にある番号を指定してください。" "Expected an id as in the lists.";
    ErrorUnknown "この項目は指定できません。" "This parameter is not known.";
    ErrorLang "ja か en を指定してください。" "Expected ja or en.";
    ErrorNotFound "見つかりません" "Not found";
    ErrorNotFoundHint "アドレスを確かめるか、本日のページからお探しください。" "Check the address, or start from today's page.";
    ErrorMethod "この操作はできません" "This can't be done here";
    ErrorMethodHint "このアドレスでは受け付けていません。" "This address does not take that.";
    ErrorStore "いまは表示できません" "This can't be shown right now";
    ErrorStoreHint "サーバーのデータを読めませんでした。少し待って、もう一度開いてください。続くときは記録（ログ）を確かめてください。" "The server's data could not be read. Wait a little and try again; if it goes on, look at the log.";
    ErrorDamaged "サーバーのデータが壊れています" "The server's data is damaged";
    ErrorDamagedHint "管理者は meguri-gateway doctor --full で確かめ、控えを戻してください。端末は記録を続け、足りない分を14日分まで送り直します。" "Whoever runs the server: look with meguri-gateway doctor --full, and put a backup back. Terminals go on recording, and send again what is missing, of the last 14 days.";
    ErrorHost "この名前では開けません" "Not under this name";
    ErrorHostHint "このページは、動いている計算機から localhost で開いてください。" "Open this page as localhost on the machine it runs on.";
    ErrorBusy "開いている画面が多すぎます" "Too many pages are open";
    ErrorBusyHint "自動更新できる画面の数に達しています。使っていない画面を閉じてください。" "The number of pages that update by themselves is reached. Close those not in use.";
    BackToToday "本日のページへ" "To today's page";
    NoticeSwitchoverStopped "業者切替の配信が止まりました" "The push of a switchover has stopped";
    NoticeSwitchoverStoppedHint "{of}台のうち{refused}台が設定を拒んでいます。理由を確かめ、続けるか取りやめるかを決めてください。" "{refused} of {of} terminals refuse it. See why, and go on or withdraw it.";
    NoticeSwitchoverWaits "業者切替の配信が次の組へ進んでいません" "The push of a switchover does not come to its next group";
    NoticeSwitchoverWaitsHint "第{group}組までの{of}台のうち、連絡があったのは{heard}台、準備ができたのは{ready}台です。待つか、次の組へ配信するかを決めてください。" "Up to group {group}, {heard} of {of} terminals were heard, and {ready} are ready. Wait on, or offer it to the next group.";
    NoticeSwitchoverAhead "業者切替が近づいています" "A switchover is near";
    NoticeSwitchoverAheadHint "あと{days}日です。{of}台のうち{not_ready}台の準備ができていません。" "It comes within {days} days. {not_ready} of {of} terminals are not ready.";
    NoticeSwitchoverMissed "業者切替が、配信されないまま切替の時刻を過ぎました" "The instant of a switchover came before it was pushed";
    NoticeSwitchoverMissedHint "端末は前の契約のままです。切替を取りやめ、版を作り直して配信してください。" "Terminals are still under the contract before. Withdraw it, build the release anew, and push that.";
    NoticeWithdrawnHeld "取りやめた業者切替を、まだ持っている端末があります" "Terminals still hold a switchover that was withdrawn";
    NoticeWithdrawnHeldHint "{held}台です。あと{days}日で、その端末だけが切り替わってしまいます。新しい版が届くように、電波の届く所で電源を入れてもらうか、USBメモリーで渡してください。" "{held} of them, and it comes within {days} days: they alone would change over. Have them switched on where there is coverage, or take them the newer release by a USB stick.";
    NoticeSwitchoverBehind "業者切替で残っている端末があります" "Terminals are behind a switchover";
    NoticeSwitchoverBehindHint "{of}台のうち、沈黙{silent}台、拒否{refused}台、元の回線{reverted}台、要確認{degraded}台です。" "Of {of}, {silent} are silent, {refused} refuse it, {reverted} are back on the line before, {degraded} are degraded.";
    NoticeAccountsLeft "契約の終わった業者の利用者がいます" "Accounts of a contractor without a contract";
    NoticeAccountsLeftHint "{contractor}の利用者{accounts}人です。いまは前の契約の記録だけを見られます。「利用者」の画面で停止してください。" "{accounts} of {contractor}. They see nothing but what was theirs; block them under People.";
    NoticeSignersGone "新しい鍵一覧が、進行中の業者切替の署名を数えません" "The new key set does not count the signatures of a switchover under way";
    NoticeSignersGoneHint "鍵一覧{version}です。端末は先にこの鍵一覧を受け取り、設定を拒みます。版を作り直し、この鍵一覧の鍵で二人が署名してから、起案し直してください。" "By key set {version}, which terminals get first, they refuse it. Build the release anew, sign it with two keys of that set, and draft it anew.";
    NoticeConfigUnknown "役所にない設定で動いている端末があります" "A terminal has a configuration that the office does not know";
    NoticeConfigUnknownHint "版{version}です。USBメモリーで渡した版か、控えから戻す前の版です。その版のファイルを「業者切替」に送ってください。届けばこの通知は消えます。" "Version {version}: it came by a USB stick, or before the office was put back from a copy. Push that release's file; this notice goes once it has come.";
    NoticeContractOver "端末の委託契約が終わっています" "A terminal's contract is over";
    NoticeContractOverHint "収集リストが届きません。使う端末なら、terminals.toml に新しい契約を書き、版を作り、署名して配信してください。署名した設定のない端末は、terminal bind に --out を付けて替えることもできます。使わない端末は terminal block で締め出してください。替わればこの通知は消えます。" "It gets no day list. If it is in use, put its new contract into terminals.toml, and build, sign and push a release; one without a signed configuration can also be bound by terminal bind with --out. If not, block it (terminal block). This notice goes once that is done.";
    NoticeConfigExpired "設定の期限が切れていて、端末に渡せません" "A terminal's configuration has expired before it came";
    NoticeConfigExpiredHint "版{version}です。端末はいまの契約と号車のまま働き、次の業者切替には従いません。新しい版を作り、署名して配信してください（meguri-config build、sign、push）。渡せばこの通知は消えます。" "Version {version}. The terminal works on under the contract and vehicle that it has, and follows no later switchover. Build, sign and push a new release (meguri-config build, sign, push); this notice goes once the terminal is offered it.";
    FoundSignersGone "いまの鍵一覧では署名が足りず、端末が拒みます。版を作り直し、いまの鍵で二人が署名してください。" "By the newest key set too few of its signatures count, and terminals would refuse it. Build it anew and sign it with keys of that set.";
    // Switchovers.
    Switchovers "業者切替" "Switchovers";
    SwitchoversNone "業者切替はまだありません。設定の版が届くと、ここで起案できます。" "There is no switchover yet. Once a release has come it can be drafted here.";
    SwitchoverName "名前" "Name";
    SwitchoverNumber "番号{id}" "number {id}";
    SwitchoverKind "業者切替" "Switchover";
    SwitchoverCorrection "設定の修正" "Correction";
    SwitchoverInstant "切替の日時" "Instant";
    SwitchoverAtOnce "届きしだい" "at once";
    SwitchoverVersion "版" "Version";
    SwitchoverGroups "{parts}組のうち{part}組まで配信" "offered to {part} of {parts} groups";
    SwitchoverDraft "起案" "Draft";
    SwitchoverChecked "点検済み" "Checked";
    SwitchoverApproved "承認済み" "Approved";
    SwitchoverPushed "配信中" "Pushed";
    SwitchoverCutOver "切替済み" "Cut over";
    SwitchoverClosed "完了" "Closed";
    SwitchoverWithdrawn "取りやめ" "Withdrawn";
    SwitchoverStopped "配信を停止中" "Stopped";
    SwitchoverDays "切替まで" "Time left";
    SwitchoverDaysUnit "日" "days";
    SwitchoverOver "過ぎました" "It has come";
    SwitchoverGroup "配信した組" "Groups offered";
    SwitchoverNext "次にすること" "What comes next";
    SwitchoverSteps "これまでの経過" "What was done";
    SwitchoverDraftDo "起案する" "Draft";
    SwitchoverCheck "点検する" "Check";
    SwitchoverCheckAgain "もう一度点検する" "Check again";
    SwitchoverApprove "承認する" "Approve";
    SwitchoverPush "配信する" "Push";
    SwitchoverGoOn "配信を続ける" "Go on";
    SwitchoverNextGroup "待たずに次の組へ配信する" "Offer it to the next group now";
    SwitchoverStop "配信を止める" "Stop";
    SwitchoverWithdraw "取りやめる" "Withdraw";
    SwitchoverClose "完了にする" "Close";
    SwitchoverDraftedDone "起案しました。次は点検です。" "Drafted. The next step is to check it.";
    SwitchoverCheckedDone "点検しました。妨げはありません。" "Checked. Nothing stands in its way.";
    SwitchoverFoundDone "妨げがあるため、先へ進めません。下の「点検の結果」を見て、設定を作り直してください。" "Something stands in its way. See the findings below, and build the release anew.";
    SwitchoverApprovedDone "承認しました。次は配信です。" "Approved. The next step is to push it.";
    SwitchoverPushedDone "端末への配信を始めました。" "It is being offered to terminals.";
    SwitchoverWentOnDone "配信を続けます。" "It goes on being offered.";
    SwitchoverStoppedDone "配信を止めました。まだ届いていない端末には、続けるまで届きません。" "Stopped. Terminals that were not offered it are not, until somebody goes on.";
    SwitchoverWithdrawnDone "取りやめました。" "Withdrawn.";
    SwitchoverClosedDone "完了にしました。" "Closed.";
    SwitchoverSamePerson "起案した人は承認できません。ほかの管理者に承認してもらってください。" "Who drafted it can't approve it. Ask another administrator.";
    SwitchoverStateWrong "いまの状態ではできません。ほかの人が先に進めたのかもしれません。下の経過を確かめてください。" "This can't be done now. Somebody may have been quicker: see below what was done.";
    SwitchoverNeedsNewer "もう端末に届いています。取りやめるには、これを含まない新しい版を配信し、その版の番号を入れてください。" "Terminals hold it already. Push a newer release without it, and give that one's version.";
    SwitchoverNoReplacement "その版では取りやめられません。この版より新しく、配信済みで、同じ切替を含まず、届いた端末をすべて含む版が要ります。" "That release can't take its place. It has to be newer, pushed, without the same instant, and for every terminal that was offered this one.";
    SwitchoverNeverOffered "まだ一度も配信されていない端末が{left}台あり、完了にすると届かなくなります。先に次の組へ配信してください。" "{left} terminals were never offered it: closed, it would never reach them. Offer it to the next group first.";
    SwitchoverNoRelease "その版は届いていないか、まだ起案されていません。" "That release has not come, or nothing was drafted of it.";
    SwitchoverDraftedAlready "この版はもう起案されています（番号 {id}）。" "This release is drafted already (number {id}).";
    SwitchoverNoInstant "この版では、これから契約の替わる日がありません。設定の修正として起案してください。" "No contract changes in this release at an instant to come: it is a correction.";
    SwitchoverNameWrong "名前は100文字までです。" "A name has 1 to 100 characters.";
    SwitchoverRolloutWrong "組は 5,25,100 のように100まで増える割合で、率は0〜100で入れてください。" "Groups are percentages that rise to 100, like 5,25,100; rates are from 0 to 100.";
    SwitchoverStoppedRefusals "受け取りを拒む端末が多いため、{time}に配信が自動で止まりました。拒んだ理由を「準備の状況」で確かめてください。続けるか、取りやめて直した版を配るかは人が決めます。" "Too many terminals refuse it: it stopped by itself at {time}. See their reasons under readiness; a person decides whether to go on, or to withdraw it and push a corrected one.";
    SwitchoverStoppedPerson "{time}に配信が止められました。" "It was stopped at {time}.";
    NextDraft "点検すると、切替の妨げになることを調べます。妨げがなければ承認へ進めます。" "A check looks for what stands in its way. Where nothing does it can be approved.";
    NextChecked "点検の結果と端末を確かめ、よければ承認してください。承認しても、まだ端末には届きません。" "Look at the findings and the terminals, then approve. Nothing reaches a terminal by it.";
    NextCheckedOwn "あなたが起案したので、承認はほかの管理者がします。" "You drafted it, so another administrator has to approve it.";
    NextApproved "配信すると、はじめの組の端末から届きます。" "Once pushed it is offered to the first group of terminals.";
    NextPushed "組ごとに自動で進みます。拒む端末が多いと自動で止まります。" "It goes on group by group by itself, and stops by itself where too many refuse.";
    NextStopped "止まっている理由を確かめてから、続けるか、取りやめるかを決めてください。" "See why it stands still, then go on or withdraw it.";
    NextCutOver "端末は切替の日時を過ぎました。残った端末を片づけたら、完了にしてください。" "Its instant has come. Close it once the remaining terminals are seen to.";
    ApproveAsk "「{name}」を承認しますか" "Approve “{name}”?";
    ApproveSays "点検の結果と、どの端末がどの業者・号車に替わるかを確かめた、という記録が残ります。" "It is written down that you have looked at the findings, and at which terminal becomes whose.";
    ApproveOffersNothing "承認だけでは端末に何も届きません。" "Nothing reaches a terminal by it alone.";
    ApproveSecond "起案した人とは別の人が承認します。" "Somebody else than who drafted it approves.";
    PushAsk "「{name}」を配信しますか" "Push “{name}”?";
    PushGroups "はじめの組から順に届きます。前の組の準備ができると、次の組に進みます。" "It is offered group by group; the next one has its turn once the one before is ready.";
    PushStops "拒む端末が決めた割合を超えると自動で止まり、知らせが出ます。" "Where more terminals refuse than is said here it stops by itself, and tells.";
    PushUndone "届いた端末からは、新しい版を配信しないと取りやめられません。" "What terminals hold can only be taken back by a newer release.";
    WithdrawAsk "「{name}」を取りやめますか" "Withdraw “{name}”?";
    WithdrawBefore "まだどの端末にも届いていません。" "No terminal has it yet.";
    WithdrawNewer "端末に届いているので、これを含まない新しい版を先に配信し、その版の番号をここに入れます。" "Terminals hold it: push a newer release without it first, and give its version here.";
    WithdrawAll "新しい版は、組を待たずに、すぐすべての端末へ配信されます。" "The newer one is offered to all terminals at once, without waiting for groups.";
    WithdrawHolds "新しい版が届くまで、端末は取りやめた予定を持ったままです。その端末は「準備の状況」に残ります。" "Until the newer one reaches them terminals hold what is withdrawn; readiness names them.";
    WithdrawUndone "取りやめは元に戻せません。同じ切替は、新しい版で起案し直します。" "This can't be taken back. The same switchover is drafted anew with a newer release.";
    WithdrawRelease "代わりになる新しい版の番号" "Version of the newer release";
    CloseAsk "「{name}」を完了にしますか" "Close “{name}”?";
    CloseTells "もう契約のない業者の利用者がいれば、知らせが出ます。" "Accounts of contractors without a contract are told of.";
    CloseLate "あとから届く記録は、完了のあとも前の業者の記録になります。" "What comes late still counts for the contractor of then.";
    CloseUndone "完了は元に戻せません。" "This can't be taken back.";
    RolloutGroups "組（端末の何％まで。最後は100）" "Groups, in percent of the terminals; the last is 100";
    RolloutReady "次の組に進む準備の率（％）" "Ready before the next group, in percent";
    RolloutPatience "応答のない端末を待つ時間" "Hours to wait for those that are not heard";
    RolloutRefused "止める拒否の率（％を超えたら）" "Stops where more than so many percent refuse";
    Findings "点検の結果" "Findings";
    FindingsNone "妨げも、知っておくこともありません。" "Nothing stands in its way, and nothing needs to be known.";
    FindingError "妨げ" "In the way";
    FindingWarning "注意" "To know";
    FindingAll "ほか、合わせて{count}件" "and more, {count} in all";
    FoundInstantPast "切替の日時を過ぎています。これからの日時で作り直してください。" "Its instant is over. Build a release with one that is to come.";
    FoundExpired "受け取りの期限が過ぎていて、端末は受け取りません。作り直してください。" "Terminals don't accept it any more. Build it anew.";
    FoundExpiresBefore "受け取りの期限が切替より前です。遅れてつながる端末が受け取れないので、期限を延ばして作り直してください。" "It expires before its instant: terminals that come late could not accept it. Build it with a later expiry.";
    FoundKeysExpire "鍵一覧の期限が切替より前です。先に鍵を更新してください（meguri-config keys rotate）。" "The key set ends before its instant. Rotate it first (meguri-config keys rotate).";
    FoundNotMidnight "契約の替わる時刻が0:00ではありません。収集は日ごとなので、0:00にしてください。" "A contract changes at an instant that is no midnight; pickups are of days.";
    FoundPlanDiffers "これらの端末では、その日の号車と契約が市の計画（city.toml）と違います。" "Of these terminals, vehicle and contract on that day are not those of the city's plan (city.toml).";
    FoundOutdated "これらの端末にはもっと新しい版が出ていて、この版を拒みます。版を上げて作り直してください。" "These terminals were offered a newer version, and would refuse this one. Build it anew.";
    FoundSameInstant "同じ日時の業者切替がもうあります。そちらを取りやめるか、そちらを配信してから、こちらを取りやめて起案し直してください（設定の修正になります）。" "Another switchover has the same instant. Withdraw that one; or push it, then withdraw this one and draft it again, as a correction.";
    FoundWithoutSwitchover "これらの端末の契約が替わりますが、その日時の業者切替は配信されていません。先にそれを配信するか、こちらを業者切替として起案してください。" "These terminals' contracts change at an instant that no switchover on terminals has. Push that one first, or draft this one as a switchover.";
    FoundMoreInstants "契約の替わる日時が二つ以上あります。業者切替になるのは最初の日時だけで、ほかの日には未報告の締めも知らせもありません。日時ごとに版を作ってください。" "Contracts change at more than one instant. The switchover has the first alone: at the others no pickups are closed and nobody is told. Build a release for each.";
    FoundTerminalsMissing "これらの端末は契約が終わるのに、この版に入っていません。" "These terminals' contracts end, and they are not in the release.";
    FoundVehiclesWithout "これらの号車には端末がありません。" "These vehicles get no terminal.";
    FoundSilent "これらの端末は1週間連絡がありません。" "These terminals were not heard for a week.";
    FoundNoCrews "これらの新しい業者には、乗務員がまだ登録されていません。" "These contractors, who come, have no crews yet.";
    FoundNoDispatchers "これらの新しい業者には、配車担当がまだいません。" "These contractors, who come, have no dispatcher yet.";
    StepDrafted "起案" "Drafted";
    StepChecked "点検" "Checked";
    StepApproved "承認" "Approved";
    StepPushed "配信を開始" "Push began";
    StepGroup "組に配信" "Offered to a group";
    StepStopped "配信を停止" "Stopped";
    StepWentOn "配信を再開" "Went on";
    StepCutOver "切替の日時が来た" "Its instant came";
    StepPickupsClosed "残った収集を未報告に" "Open pickups not reported";
    StepClosed "完了" "Closed";
    StepWithdrawn "取りやめ" "Withdrawn";
    StepCheckedDetail "妨げ {errors}件、注意 {warnings}件" "{errors} in the way, {warnings} to know";
    StepGroupDetail "{group}組目、{terminals}台" "Group {group}, {terminals} terminals";
    StepStoppedDetail "{of}台のうち{refused}台が拒否" "{refused} of {of} refuse it";
    StepPickupsDetail "{count}件" "{count} pickups";
    StepWithdrawnDetail "番号{by}が代わり" "number {by} takes its place";
    Releases "起案を待つ設定の版" "Releases to be drafted";
    ReleasesNone "起案を待つ版はありません" "No release waits to be drafted";
    ReleaseVersion "版 {version}" "Version {version}";
    ReleaseTerminals "端末{count}台" "{count} terminals";
    ReleaseExpires "受け取りは {time} まで" "accepted until {time}";
    ReleaseHow "設定を作り、二人が署名した版を、市の設定担当がこの命令で送ります。" "Whoever writes configurations sends a release that two people have signed by this command:";
    KeySets "設定を確かめる鍵一覧" "Key sets";
    KeySetsLead "指紋を、鍵を作った日の記録と見比べてください。" "Compare the fingerprints with the record of the key ceremony.";
    KeySetsNone "鍵一覧はまだありません。はじめの版とともに届きます。" "There is no key set yet. The first release brings it.";
    KeySet "鍵一覧 {version}" "Key set {version}";
    KeySetExpires "期限 {day}" "until {day}";
    Readiness "準備の状況" "Readiness";
    ReadinessTitle "準備の状況：{name}" "Readiness: {name}";
    ReadinessEach "端末ごとに見る" "Each terminal";
    ReadinessAsOf "{time}現在" "as of {time}";
    ReadinessProgress "切替後の業者ごとの進み" "By contractor afterwards";
    ReadinessReady "準備済み" "Ready";
    ReadinessWell "順調" "Well";
    ReadinessOnWay "途中" "On the way";
    ReadinessLook "要確認" "To look at";
    ReadinessStopped "不可" "Can't";
    ReadinessAsks "人の手が要る端末" "Need somebody";
    ReadinessBar "{name}：{all}台のうち順調{well}、要確認{look}、不可{stopped}" "{name}: of {all}, {well} well, {look} to look at, {stopped} can't";
    ReadinessAll "すべて" "all";
    ReadinessShow "表示" "Show";
    ReadinessCsv "CSVで保存" "Save as CSV";
    CsvSince "いつから" "Since";
    CsvWhy "理由" "Why";
    CsvGroup "組" "Group";
    CsvContractBefore "契約（前）" "Contract before";
    CsvVehicleBefore "号車（前）" "Vehicle before";
    CsvContractAfter "契約（後）" "Contract after";
    CsvVehicleAfter "号車（後）" "Vehicle after";
    CsvLine "電話番号" "Line";
    CsvUnsent "未送信" "Unsent";
    ReadinessBecomes "切替前 → 後" "Before → after";
    ReadinessTodo "すること" "What to do";
    ReadinessGroup "{group}組目" "group {group}";
    ReadinessSince "{time}から" "since {time}";
    ReadinessDetail "端末より：{detail}" "it says: {detail}";
    ReadinessUnsent "未送信 {count}件" "{count} unsent";
    ReadyWaiting "順番待ち" "Waits for its turn";
    ReadyOffered "配信済み（応答なし）" "Offered, no answer";
    ReadyVerified "確認済み" "Verified";
    ReadyStaged "準備済み（切替待ち）" "Staged";
    ReadyActivated "切替済み" "Changed over";
    ReadyHealthy "正常" "Healthy";
    ReadyDegraded "要確認（機器なし）" "Degraded";
    ReadyReverted "元の回線" "Back on the line before";
    ReadyRefused "拒否" "Refused";
    ReadySilent "沈黙" "Silent";
    ReadyHoldsWithdrawn "古い予定を保持" "Holds what was withdrawn";
    ReadyUnchanged "契約変更なし" "Contract goes on";
    ReadyLetGo "対象外（新しい版あり）" "Has a newer one";
    ReadyKeptOut "停止・紛失" "Kept out or lost";
    TodoNothing "なし" "nothing";
    TodoWait "待つ（自動で進みます）" "wait; it goes on by itself";
    TodoCall "電話：電波の届く所で電源を入れてもらう" "Call: have it switched on where it has a line";
    TodoStick "USBメモリーで渡す" "Bring it on a USB stick";
    TodoAnotherTablet "別のタブレットを登録して渡す" "Enrol another tablet for the crew";
    TodoPushAgain "理由のとおり直し、新しい版を配る" "Mend it by the reason, and push a newer release";
    TodoLookAtPeripheral "機器を挿し直してもらう" "Have the device plugged in again";
    WhyTooLarge "大きすぎる" "too large";
    WhyMalformed "壊れている" "damaged";
    WhyOtherType "設定ではない" "no configuration";
    WhyNoKeys "鍵一覧がない" "no key set yet";
    WhyTooFewSignatures "署名が足りない" "too few signatures";
    WhyOtherCity "別の市のもの" "another city's";
    WhyOtherTerminal "別の端末のもの" "another terminal's";
    WhyOldVersion "前の版より新しくない" "not newer than before";
    WhyExpired "受け取りの期限切れ" "expired";
    WhyKeysExpired "鍵一覧の期限切れ" "the key set is over";
    WhyKeysNotNext "いまの鍵一覧の続きではない" "the key set does not follow";
    WhyOutOfBounds "内容に誤りがある" "holds an error";
    WhyBrokerRefused "新しい接続先に断られた" "the new address refused it";
    WhyBrokerUnreachable "新しい接続先につながらない" "the new address does not answer";
    WhyPeripheralMissing "機器が見つからない" "a device is missing";
    TerminalConfig "設定" "Configuration";
    TerminalConfigHeld "版 {version}" "version {version}";
    TerminalConfigOwn "登録したときの設定" "as it was enrolled";
    TerminalConfigOffered "版 {version} を配信済み、応答なし" "version {version} is offered, no answer yet";
    TerminalConfigRefused "版 {version} を拒否" "version {version} is refused";
    TerminalConfigComing "{time}から {contractor} {vehicle}" "from {time}: {contractor} {vehicle}";
    StateVerified "確認済み" "verified";
    StateStaged "切替待ち" "staged";
    StateActivated "切替済み" "changed over";
    StateHealthy "正常" "healthy";
    StateDegraded "要確認" "degraded";
    StateReverted "元の回線" "back on the line before";
    StateRefused "拒否" "refused";
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;

    use axum::http::HeaderValue;

    use super::*;

    fn names(text: &str) -> BTreeSet<&str> {
        text.split('{').skip(1).map(|rest| rest.split_once('}').unwrap().0).collect()
    }

    #[test]
    fn both_languages_fill_the_same_names() {
        for text in Text::ALL {
            let (ja, en) = text.both();
            assert!(!ja.is_empty() && !en.is_empty(), "{text:?}");
            assert_eq!(names(ja), names(en), "{text:?}");
        }
    }

    #[test]
    fn filling_never_reads_a_value_as_a_name() {
        let filled = Lang::En.fill(Text::SearchNone, &[("number", &"{number}")]);
        assert_eq!(filled, "Reception number {number} was not found.");
    }

    #[test]
    fn the_language_is_the_cookies_then_the_browsers_then_japanese() {
        let lang = |cookie: &'static str, accept: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, HeaderValue::from_static(cookie));
            headers.insert(header::ACCEPT_LANGUAGE, HeaderValue::from_static(accept));
            Lang::of_headers(&headers)
        };
        assert_eq!(Lang::of_headers(&HeaderMap::new()), Lang::Ja);
        assert_eq!(lang("", "en-GB,en;q=0.9,ja;q=0.8"), Lang::En);
        assert_eq!(lang("", "fr, ja;q=0.8, en;q=0.5"), Lang::Ja);
        assert_eq!(lang("", "de"), Lang::Ja);
        assert_eq!(lang("", "en;q=0"), Lang::Ja);
        assert_eq!(lang("a=b; lang=ja", "en"), Lang::Ja);
        assert_eq!(lang("language=en; lang=xx", "ja"), Lang::Ja);
    }
}
